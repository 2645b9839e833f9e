// Tasks of which some take time, each after the one before.
import { reportListenerError } from "./listeners.ts";

/**
 * Runs a task for each item, in the order in which they are given. As long as none of them takes time, each runs at once: only an
 * asynchronous schema makes the events after it wait. Reading stops while a task is pending, so the queue is never longer than
 * the events of one chunk.
 */
export class InOrder<Item> {
  readonly #handle: (item: Item) => Promise<void> | undefined;
  readonly #onIdle: () => void;
  #last: Promise<void> | null = null;

  /**
   * @param handle The task for one item.
   * @param onIdle Called when the tasks that took time are done.
   */
  constructor(handle: (item: Item) => Promise<void> | undefined, onIdle: () => void) {
    this.#handle = handle;
    this.#onIdle = onIdle;
  }

  /** Resolves when all tasks so far are done; `null` when they are. */
  get pending(): Promise<void> | null {
    return this.#last;
  }

  run(item: Item): void {
    const running = this.#last === null ? this.#handle(item) : this.#last.then(() => this.#handle(item));
    if (running === undefined) return;
    const last = running.catch(reportListenerError).then(() => {
      // Another task was added in the meantime, and its own promise reports the end.
      if (this.#last !== last) return;
      this.#last = null;
      this.#onIdle();
    });
    this.#last = last;
  }
}
