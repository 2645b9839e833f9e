import { createHub, type Hub } from "sourcecast";

// A hot reload evaluates this module again; the clients that are connected stay with the same hub.
const kept = globalThis as { hub?: Hub };
kept.hub ??= createHub();

export const hub: Hub = kept.hub;
