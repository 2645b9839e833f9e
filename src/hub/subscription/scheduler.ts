// One round-robin scheduler for the process: replays share the event loop with everything else, and with one another.
import { runDetached } from "../../base/async-context.ts";
import { now, setImmediateOrTimeout } from "../../base/clock.ts";

/**
 * How long all tasks together may work in one turn of the event loop, in milliseconds. Live events and new requests wait
 * that long at most for replays.
 */
const turnBudgetMs = 5;

/** How long one task may work before the next one has its turn, in milliseconds. */
const sliceMs = 0.5;

/**
 * Small steps between two looks at the clock, which costs as much as one of them. Every slice has at least this many:
 * on a machine that is busy with something else, a short replay still leaves in one write.
 */
const unitsPerClockCheck = 256;

/**
 * Gives tasks their turns, in the order in which they asked. A task that does nothing but skip entries gets no more of the
 * event loop than one that sends, and a thousand tasks get equal shares as two do.
 *
 * The budget of a turn belongs to all tasks together. With a budget for each, a thousand reconnects would stop live
 * delivery for as long as all of them take.
 */
export class Scheduler {
  /** One for all: only one task works at a time. */
  readonly #slice = new Slice();
  #tasks: Task[] = [];
  #next = 0;
  readonly #scheduled = new Set<Task>();
  /** Milliseconds that tasks have worked in this turn of the event loop. */
  #spentMs = 0;
  #isTurnRequested = false;
  #isRunning = false;

  /**
   * Lets a task work: at once if there is time left in this turn of the event loop, so that its first events leave with the
   * opening of its stream, or in one of the next turns. Does nothing for a task that is scheduled already.
   */
  schedule(task: Task): void {
    if (this.#scheduled.has(task)) return;
    this.#scheduled.add(task);
    this.#tasks.push(task);
    if (!this.#isRunning) this.#run();
  }

  /** Resolves with the result of work that is done in one slice, when its turn comes; rejects with what it throws. */
  share<T>(work: (slice: Slice) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const step = (slice: Slice): false => {
        try {
          resolve(work(slice));
        } catch (error) {
          reject(error);
        }
        return false;
      };
      this.schedule({ step });
    });
  }

  #run(): void {
    this.#isRunning = true;
    const start = now();
    const end = start + turnBudgetMs - this.#spentMs;
    let time = start;
    while (this.#next < this.#tasks.length && time < end) {
      const task = this.#tasks[this.#next++] as Task;
      // Before the step: a task that asks for another turn while it works must get one.
      this.#scheduled.delete(task);
      if (task.step(this.#slice.until(Math.min(end, time + sliceMs)))) this.#enqueue(task);
      time = now();
    }
    this.#forgetFinished();
    this.#spentMs += time - start;
    this.#isRunning = false;
    this.#requestTurn();
  }

  /** At the end of the queue: a task that is not finished waits for all others, however much it has left. */
  #enqueue(task: Task): void {
    if (this.#scheduled.has(task)) return;
    this.#scheduled.add(task);
    this.#tasks.push(task);
  }

  /** Cuts off the tasks that had their turns; in a long queue not each time, since every cut copies the rest. */
  #forgetFinished(): void {
    if (this.#next < this.#tasks.length && this.#next < 1_024) return;
    this.#tasks = this.#tasks.slice(this.#next);
    this.#next = 0;
  }

  /** The next turn of the event loop renews the budget, whether or not a pump waits for it. */
  #requestTurn(): void {
    if (this.#isTurnRequested) return;
    this.#isTurnRequested = true;
    runDetached(() =>
      setImmediateOrTimeout(() => {
        this.#isTurnRequested = false;
        this.#spentMs = 0;
        if (this.#next < this.#tasks.length) this.#run();
      }),
    );
  }
}

/** The share of one task: it stops when `isOver()` says so. */
export class Slice {
  #end = 0;
  #units = 0;

  until(end: number): this {
    this.#end = end;
    this.#units = 0;
    return this;
  }

  /**
   * Called once for each small step, such as an entry that is skipped.
   *
   * @param units How many small steps the last one was worth.
   */
  isOver(units = 1): boolean {
    this.#units += units;
    if (this.#units < unitsPerClockCheck) return false;
    this.#units = 0;
    return now() >= this.#end;
  }
}

/** Work that can be done in steps. Must not throw. */
export interface Task {
  /**
   * Works until there is nothing more to do for now, or the slice is over.
   *
   * @returns Whether there is more to do at once. A task that waits for something asks for its next turn itself.
   */
  step(slice: Slice): boolean;
}

/** The scheduler of this process. */
export const scheduler: Scheduler = new Scheduler();
