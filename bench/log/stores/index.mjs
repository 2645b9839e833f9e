import { nats } from "./nats.mjs";
import { postgres } from "./postgres.mjs";
import { redis } from "./redis.mjs";

/** @type {Record<string, import("./store.mjs").Store>} */
export const stores = { redis, nats, postgres };
