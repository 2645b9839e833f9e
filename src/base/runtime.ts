/** The two runtimes that need something different. */

/**
 * True on Cloudflare Workers. A timer there belongs to the request that set it and silently ends with that request, so
 * requests must not wait for a timer that they share. All requests of one Durable Object count as one.
 */
export const isWorkers: boolean = globalThis.navigator?.userAgent === "Cloudflare-Workers";

/** `Bun.serve` closes a connection that was idle for 10 s, its default `idleTimeout`. */
const bunKeepAliveMs = 8_000;

/**
 * The default of the option `keepAlive`, in milliseconds. A hub's is half the other: many proxies and watchdogs close a
 * connection at 30 s.
 */
export const defaultKeepAlive: { readonly source: number; readonly hub: number } =
  "Bun" in globalThis ? { source: bunKeepAliveMs, hub: bunKeepAliveMs } : { source: 30_000, hub: 15_000 };
