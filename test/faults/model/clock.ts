/**
 * Time and chance under the model's control, for the code under test too: it has to be loaded after this file. A tick ends
 * and a timer fires when the model says so, and `Math.random` follows the seed.
 */
import { setImmediate as realSetImmediate } from "node:timers";
import { Random } from "./random.ts";

interface Timer {
  readonly at: number;
  readonly every: number | undefined;
  readonly callback: () => void;
}

class VirtualClock {
  /** Milliseconds; goes on from history to history. */
  time = 1_000_000;
  ticks = 0;
  #random = new Random(0);
  #timers = new Map<object, Timer>();
  #endOfTick: (() => void)[] = [];
  readonly #originals: Record<string, unknown> = {};

  /** Takes the place of the runtime's. Returns what gives them back. */
  install(): () => void {
    const { performance } = globalThis;
    const originalNow = performance.now;
    const { now, random: originalRandom } = { now: Date.now, random: Math.random };
    const fakes = {
      setTimeout: (callback: () => void, delay = 0) => this.#start(callback, delay),
      setInterval: (callback: () => void, delay = 0) => this.#start(callback, delay, Math.max(1, delay)),
      setImmediate: (callback: () => void) => this.#endOfTick.push(callback),
      clearTimeout: (timer: object) => this.#timers.delete(timer),
      clearInterval: (timer: object) => this.#timers.delete(timer),
    };
    for (const name of Object.keys(fakes)) this.#originals[name] = (globalThis as Record<string, unknown>)[name];
    Object.assign(globalThis, fakes);
    performance.now = () => this.time;
    Date.now = () => this.time;
    Math.random = () => this.#random.next();
    return () => {
      Object.assign(globalThis, this.#originals);
      performance.now = originalNow;
      Date.now = now;
      Math.random = originalRandom;
    };
  }

  /** Begins a history. */
  restart(seed: number): void {
    this.#random = new Random(seed);
    this.time = Math.ceil(this.time / 1_000_000) * 1_000_000 + 1_000_000;
    this.#timers.clear();
    this.#endOfTick = [];
  }

  /** Lets everything happen that needs no time. */
  async tick(): Promise<void> {
    do {
      this.ticks++;
      // One turn of the real loop: by then every promise that could has been settled.
      await new Promise<void>((resolve) => realSetImmediate(resolve));
      for (const callback of this.#endOfTick.splice(0)) callback();
    } while (this.#endOfTick.length > 0);
    await new Promise<void>((resolve) => realSetImmediate(resolve));
  }

  async advance(milliseconds: number): Promise<void> {
    const until = this.time + milliseconds;
    for (;;) {
      const next = this.#next(until);
      if (next === undefined) break;
      const [key, timer] = next;
      this.time = Math.max(this.time, timer.at);
      if (timer.every === undefined) this.#timers.delete(key);
      else this.#timers.set(key, { ...timer, at: this.time + timer.every });
      timer.callback();
      await this.tick();
    }
    this.time = until;
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#start(resolve, milliseconds));
  }

  #start(callback: () => void, delay: number, every?: number): object {
    const timer = { ref: () => timer, unref: () => timer };
    this.#timers.set(timer, { at: this.time + Math.max(1, delay), every, callback });
    return timer;
  }

  #next(until: number): [object, Timer] | undefined {
    let first: [object, Timer] | undefined;
    for (const entry of this.#timers) {
      if (entry[1].at <= until && (first === undefined || entry[1].at < first[1].at)) first = entry;
    }
    return first;
  }
}

export const clock: VirtualClock = new VirtualClock();
export const uninstallClock: () => void = clock.install();
