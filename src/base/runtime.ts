// The three runtimes that need something different.
//
// Reading a global may have an effect, for all that bundlers know. Within calls that are marked as pure, it leaves nothing in
// a program that does not use the constant, such as a page with the parser alone.

/**
 * True on Cloudflare Workers. A timer there belongs to the request that set it and silently ends with that request, so
 * requests must not wait for a timer that they share. All requests of one Durable Object count as one.
 */
export const isWorkers: boolean = /* @__PURE__ */ (() => globalThis.navigator?.userAgent === "Cloudflare-Workers")();

/**
 * True on the edge runtime of Next.js, up to 16 at least. Functions of Node exist there and throw when they are called
 * (https://github.com/vercel/next.js/blob/v16.0.0/packages/next/src/server/web/sandbox/context.ts, `addStub`).
 */
export const isEdgeRuntime: boolean = /* @__PURE__ */ hasGlobal("EdgeRuntime");

/** A module of Node by its name, without an import that other runtimes would refuse; `undefined` if there is none. */
export function builtinModule<T>(id: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } };
  return isEdgeRuntime ? undefined : (process?.getBuiltinModule?.(id) as T | undefined);
}

/** `Bun.serve` closes a connection that was idle for 10 s, its default `idleTimeout`. */
const bunKeepAliveMs = 8_000;

/**
 * The default of the option `keepAlive`, in milliseconds. A hub's is half of a source's, because many proxies and
 * watchdogs close a connection at 30 s.
 */
export const defaultKeepAlive: { readonly source: number; readonly hub: number } = /* @__PURE__ */ hasGlobal("Bun")
  ? { source: bunKeepAliveMs, hub: bunKeepAliveMs }
  : { source: 30_000, hub: 15_000 };

function hasGlobal(name: string): boolean {
  return name in globalThis;
}
