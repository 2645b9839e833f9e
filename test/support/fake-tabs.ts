// The tabs of a browser on a virtual clock: channels, locks, tabs that freeze, thaw and crash.
import type { Environment, TabChannel, TabLocks, WakeListener } from "../../src/client/environment.ts";
import type { VirtualEnvironment } from "./virtual-environment.ts";

interface LockRequest {
  readonly tab: FakeTab;
  grant(): void;
  /** Ends a lock that is held, or a request that waits. */
  fail(error: Error): void;
}

/** Tabs that post more messages than this answer each other without an end. */
export const maxPosted = 5_000;

/** One profile of a browser. Messages take a random time, but those of one tab to another arrive in order. */
export class FakeBrowser {
  readonly environment: VirtualEnvironment;
  readonly random: () => number;
  readonly tabs: FakeTab[] = [];
  /** How many of the messages are lost, from 0 to 1. */
  lossRate = 0;
  /** The requests for each lock. The first holds it. */
  readonly locks: Map<string, LockRequest[]> = new Map();
  /** How many messages tabs have posted. Those above {@link maxPosted} are lost, so that a storm of them ends. */
  posted = 0;

  /** @param random It also gives the tabs their ids, so it must not repeat itself. */
  constructor(environment: VirtualEnvironment, random: () => number) {
    this.environment = environment;
    this.random = random;
  }

  open(): FakeTab {
    const tab = new FakeTab(this);
    this.tabs.push(tab);
    return tab;
  }

  release(name: string, request: LockRequest): void {
    const requests = this.locks.get(name) ?? [];
    const wasFirst = requests[0] === request;
    const rest = requests.filter((one) => one !== request);
    if (rest.length === 0) this.locks.delete(name);
    else this.locks.set(name, rest);
    if (wasFirst) rest[0]?.grant();
  }

  post(from: FakeTab, name: string, message: unknown): void {
    if (++this.posted > maxPosted) return;
    const copy = structuredClone(message);
    for (const tab of this.tabs) if (tab !== from) tab.deliver(from, name, copy);
  }
}

/** One tab: the environment of its clients. */
export class FakeTab implements Environment {
  isFrozen = false;
  isGone = false;
  #isDeaf = false;
  readonly #browser: FakeBrowser;
  readonly #channels = new Map<string, TabChannel>();
  readonly #listeners = new Set<WakeListener>();
  readonly #arrivals = new Map<FakeTab, number>();
  /** Callbacks that have come while the tab was frozen. */
  #late: (() => void)[] = [];
  readonly #aborts = new Set<AbortController>();

  constructor(browser: FakeBrowser) {
    this.#browser = browser;
  }

  // --- what happens to a tab ---

  freeze(): void {
    this.isFrozen = true;
  }

  thaw(): void {
    this.isFrozen = false;
    for (const callback of this.#late.splice(0)) this.#run(callback);
  }

  /** It disappears without a word. Its locks are released, and its connections are cut. */
  crash(): void {
    this.isGone = true;
    this.#channels.clear();
    for (const abort of this.#aborts) abort.abort();
    for (const [name, requests] of [...this.#browser.locks]) {
      for (const request of requests.filter(({ tab }) => tab === this).reverse()) this.#browser.release(name, request);
    }
  }

  /** Messages to it are lost, as those to a page that is put away may be. */
  deafen(): void {
    this.#isDeaf = true;
  }

  listen(): void {
    this.#isDeaf = false;
  }

  suspend(): void {
    for (const listener of [...this.#listeners]) listener.onSuspend();
  }

  wake(): void {
    for (const listener of [...this.#listeners]) listener.onWake();
  }

  deliver(from: FakeTab, name: string, message: unknown): void {
    if (this.#isDeaf || this.#browser.random() < this.#browser.lossRate) return;
    const { environment, random } = this.#browser;
    const at = Math.max(this.#arrivals.get(from) ?? 0, environment.time + random() * 10);
    this.#arrivals.set(from, at);
    environment.after(at - environment.time, () => {
      this.#run(() => this.#channels.get(name)?.onmessage?.({ data: message } as MessageEvent));
    });
  }

  /** A frozen tab runs nothing, and catches up when it thaws. */
  #run(callback: () => void): void {
    if (this.isGone) return;
    if (this.isFrozen) this.#late.push(callback);
    else callback();
  }

  /** The network of this tab. A frozen tab takes nothing from it. */
  fetch(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
    return (async (url: string, init: RequestInit) => {
      const abort = new AbortController();
      this.#aborts.add(abort);
      init.signal?.addEventListener("abort", () => abort.abort());
      const response = await fetch(url, { ...init, signal: abort.signal });
      await this.#thawed();
      const body = response.body?.pipeThrough(
        new TransformStream({
          transform: async (chunk, controller) => {
            await this.#thawed();
            controller.enqueue(chunk);
          },
        }),
      );
      return new Response(body ?? null, { status: response.status, headers: response.headers });
    }) as typeof globalThis.fetch;
  }

  #thawed(): Promise<void> {
    return this.isFrozen || this.isGone ? new Promise((resolve) => this.#late.push(resolve)) : Promise.resolve();
  }

  // --- Environment ---

  readonly tabs = {
    openChannel: (name: string): TabChannel => {
      const channel: TabChannel = {
        onmessage: null,
        postMessage: (message) => {
          if (!this.isGone) this.#browser.post(this, name, message);
        },
        close: () => {
          if (this.#channels.get(name) === channel) this.#channels.delete(name);
        },
      };
      this.#channels.set(name, channel);
      return channel;
    },
    locks: { request: (name, options, hold) => this.#request(name, options, hold) } satisfies TabLocks as TabLocks,
  };

  #request(
    name: string,
    { signal, steal = false }: { signal?: AbortSignal; steal?: boolean },
    hold: () => Promise<void>,
  ): Promise<unknown> {
    const browser = this.#browser;
    return new Promise((resolve, reject) => {
      const request: LockRequest = {
        tab: this,
        // Locks are in another process of the browser.
        grant: () => {
          browser.environment.after(browser.random() * 10, async () => {
            if (!this.isGone) {
              await this.#thawed();
              await hold();
            }
            browser.release(name, request);
            resolve(undefined);
          });
        },
        fail: (error) => this.#run(() => reject(error)),
      };
      const requests = browser.locks.get(name) ?? [];
      if (steal) {
        const [holder, ...waiting] = requests;
        browser.locks.set(name, [request, ...waiting]);
        const error = new Error("The lock was stolen");
        error.name = "AbortError";
        holder?.fail(error);
        request.grant();
        return;
      }
      browser.locks.set(name, [...requests, request]);
      if (requests.length === 0) request.grant();
      signal?.addEventListener("abort", () => {
        if (browser.locks.get(name)?.[0] !== request) browser.release(name, request);
      });
    });
  }

  now(): number {
    return this.#browser.environment.now();
  }

  toUnixTime(time: number): number {
    return time;
  }

  random(): number {
    return this.#browser.random();
  }

  after(milliseconds: number, callback: () => void): () => void {
    let isCancelled = false;
    const cancel = this.#browser.environment.after(milliseconds, () => {
      this.#run(() => {
        if (!isCancelled) callback();
      });
    });
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  online(): boolean {
    return true;
  }

  watch(listener: WakeListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
