// Which tab leads: the one that holds a Web Lock. And which tabs are there: each holds a lock of its own.
import type { TabRuntime } from "./environment.ts";

/** A tab, a tab that expects a worker to lead, or that worker. */
export type TabRole = "tab" | "guest" | "worker";

/**
 * The locks of a tab. The browser releases them when the tab is gone, for whatever reason, and grants that of the leader to
 * the tab that has waited longest.
 *
 * @see https://w3c.github.io/web-locks/
 */
export class Election {
  readonly #runtime: TabRuntime;
  readonly #name: string;
  readonly #signal: AbortSignal;
  readonly #handlers: ElectionHandlers;

  /** @param signal Ends it: all locks are released, and no request waits any more. */
  constructor(runtime: TabRuntime, name: string, signal: AbortSignal, handlers: ElectionHandlers) {
    this.#runtime = runtime;
    this.#name = name;
    this.#signal = signal;
    this.#handlers = handlers;
  }

  /** Holds the lock of this tab, by which others notice that it is gone. */
  enter(tab: string): void {
    this.#hold(`${this.#name} ${tab}`, false, this.#handlers.onPresent, () => {});
  }

  /** Waits for the lock of the leader. */
  stand(): void {
    this.#elect(false);
  }

  /** Takes the lock of a leader that does not answer: a frozen tab keeps it. */
  takeOver(): void {
    this.#elect(true);
  }

  /** Calls back when another tab is gone. Its lock is granted then, and released at once. */
  onceGone(tab: string, callback: () => void): void {
    const signal = this.#signal;
    this.#runtime.locks.request(`${this.#name} ${tab}`, { signal }, async () => callback()).catch(() => {});
  }

  #elect(steal: boolean): void {
    this.#hold(this.#name, steal, this.#handlers.onElected, () => {
      this.#handlers.onLost();
      this.#elect(false);
    });
  }

  /** Holds a lock until the end, or until another tab takes it. */
  #hold(name: string, steal: boolean, onHeld: () => void, onLost: () => void): void {
    const signal = this.#signal;
    let isOver = false;
    const hold = (): Promise<void> => {
      if (signal.aborted || isOver) return Promise.resolve();
      onHeld();
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
    };
    // A request that takes the lock of another cannot be withdrawn.
    this.#runtime.locks.request(name, steal ? { steal } : { signal }, hold).catch((error: Error) => {
      isOver = true;
      if (signal.aborted) return;
      if (error.name === "AbortError") onLost();
      // Without locks, which some embedded pages may not use, terms alone decide.
      else onHeld();
    });
  }
}

/** The callbacks of an election. */
interface ElectionHandlers {
  /** This tab holds its own lock: a leader may serve it from here on, and it may stand for election. */
  onPresent(): void;
  /** This tab is to lead. */
  onElected(): void;
  /** Another tab has taken the lock of the leader. */
  onLost(): void;
}
