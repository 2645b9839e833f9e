import type { Environment, WakeListener } from "../../src/client/environment.ts";

/** A client's runtime with a clock that a test moves. */
export class VirtualEnvironment implements Environment {
  time = 1_000_000;
  isOnline = true;
  readonly #listeners = new Set<WakeListener>();
  readonly #random: () => number;
  #timers: { at: number; callback: () => void }[] = [];

  constructor(random: () => number = () => 0.5) {
    this.#random = random;
  }

  now(): number {
    return this.time;
  }

  toUnixTime(time: number): number {
    return time;
  }

  random(): number {
    return this.#random();
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.time + milliseconds, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  online(): boolean {
    return this.isOnline;
  }

  watch(listener: WakeListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** All listeners as one, or null if there is none. */
  get listener(): WakeListener | null {
    if (this.#listeners.size === 0) return null;
    const tell = (name: keyof WakeListener) => () => {
      for (const listener of [...this.#listeners]) listener[name]();
    };
    return { onWake: tell("onWake"), onSuspend: tell("onSuspend"), onOffline: tell("onOffline") };
  }

  /** When the next timer fires, if there is one. */
  get next(): number | undefined {
    return this.#timers.length === 0 ? undefined : Math.min(...this.#timers.map(({ at }) => at));
  }

  get timers(): number {
    return this.#timers.length;
  }

  /** Moves the clock, and fires the timers on the way. */
  advance(milliseconds: number): void {
    const end = this.time + milliseconds;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.time = Math.max(this.time, due.at);
      due.callback();
    }
    this.time = end;
  }
}
