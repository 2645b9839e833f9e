// The runtime as a client needs it: time, chance, and the events that say that it has slept. Tests bring their own.

import { AwakeClock } from "./awake-clock.ts";

/** The runtime as a client sees it. */
export interface Environment {
  /** Monotonic milliseconds, of a clock that continues while the machine sleeps. */
  now(): number;
  /** A moment of that clock in milliseconds of Unix time. */
  toUnixTime(time: number): number;
  random(): number;
  /** @returns Cancels the timer. */
  after(milliseconds: number, callback: () => void): () => void;
  online(): boolean;
  /** @returns Removes the listener. */
  watch(listener: WakeListener): () => void;
  /**
   * How the tabs of a browser find each other; null where they cannot.
   * @default the BroadcastChannel and the Web Locks of the runtime
   */
  readonly tabs?: TabRuntime | null;
}

/** The parts of a browser that its tabs share. */
export interface TabRuntime {
  openChannel(name: string): TabChannel;
  readonly locks: TabLocks;
}

/** A `BroadcastChannel`. */
export interface TabChannel {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

/** A `LockManager`. */
export interface TabLocks {
  request(
    name: string,
    options: { signal?: AbortSignal; steal?: boolean },
    hold: () => Promise<void>,
  ): Promise<unknown>;
}

/** Told when timers may have slept, or the page is put away. */
export interface WakeListener {
  onWake(): void;
  /** The page may enter the back/forward cache, which an open connection would prevent. */
  onSuspend(): void;
  /** The network is gone. */
  onOffline(): void;
}

/** Longer delays overflow to 1 ms in every runtime. */
const maxTimeoutMs = 2 ** 31 - 1;

let clock: AwakeClock | undefined;

/** Made at the first use: on Workers, time does not pass, and cannot be read usefully, at import. */
function runtimeClock(): AwakeClock {
  clock ??= new AwakeClock();
  return clock;
}

/** The runtime that this program runs in: a document, a worker, Node, Bun, Deno. */
export const runtime: Environment = {
  now: () => runtimeClock().now(),
  toUnixTime: (time) => runtimeClock().toUnixTime(time),
  random: () => Math.random(),
  // A longer wait ends early. The machine then finds that nothing is due, and sets the next timer. The timer keeps a process
  // alive on purpose: between two attempts nothing else does.
  after(milliseconds, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, milliseconds), maxTimeoutMs));
    return () => clearTimeout(timer);
  },
  // `false` is reliable, `true` only says that there is some network. The `navigator` of Node has no `onLine`.
  online: () => globalThis.navigator?.onLine !== false,
  watch(listener) {
    const page = globalThis as Partial<PageLike>;
    // Node has no such events. There, the first timer after a sleep finds that its time is long over.
    if (typeof page.addEventListener !== "function") return () => {};
    const onWake = (): void => {
      if (page.document?.visibilityState !== "hidden") listener.onWake();
    };
    const removal = new AbortController();
    const on = (target: EventTargetLike | undefined, type: string, handler: () => void): void =>
      target?.addEventListener(type, handler, removal);
    const { document } = page;
    on(page as PageLike, "online", onWake);
    // Also fires when the page has loaded, when a stream is too young to be suspected.
    on(page as PageLike, "pageshow", onWake);
    on(page as PageLike, "pagehide", () => listener.onSuspend());
    on(page as PageLike, "offline", () => listener.onOffline());
    // Safari on iOS drops the sockets of hidden pages without an error, so a stream that looks open has to be checked.
    on(document, "visibilitychange", onWake);
    // Chromium freezes hidden pages: https://wicg.github.io/page-lifecycle/
    on(document, "resume", onWake);
    return () => removal.abort();
  },
};

interface EventTargetLike {
  addEventListener(type: string, listener: () => void, options: { signal: AbortSignal }): void;
}

interface PageLike extends EventTargetLike {
  readonly document: (EventTargetLike & { readonly visibilityState: string }) | undefined;
}
