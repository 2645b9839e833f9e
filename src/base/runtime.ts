/**
 * True on Cloudflare Workers. There a timer belongs to the request that set it and goes with it, without a word, and what
 * many requests share must not wait for one of them. In a Durable Object all requests are one in this respect.
 */
export const isWorkers: boolean = globalThis.navigator?.userAgent === "Cloudflare-Workers";
