import { createHub } from "sourcecast";

// Next.js bundles each route on its own, and reloads modules in development: without this there would be several hubs.
globalThis.hub ??= createHub();

export const hub = globalThis.hub;
