// One timer for all idle connections: keep-alives, and the checks for bodies that no client reads.
import { noteTimerFired, now, unrefTimeout } from "../base/clock.ts";
import { isWorkers } from "../base/runtime.ts";

/** A connection that is to be heard of after a silence. */
export interface IdleTarget {
  /** Milliseconds of silence after which `beat` is called; `Infinity` for never. */
  readonly idleAfter: number;
  /** When it was last heard of, in the time of `now()`. */
  readonly lastSent: number;
  /** Is heard of at `time`, has another silence from now on, or stops. */
  onIdle(time: number): void;
}

/**
 * Watches a connection's silence. One timer serves all connections, except on Workers, where a timer ends with the request
 * that set it: there each connection has its own.
 */
export function watchIdle(connection: IdleTarget): void {
  if (connection.idleAfter === Number.POSITIVE_INFINITY) return;
  if (isWorkers) ownTimers.set(connection, new IdleTimer());
  timerOf(connection).add(connection);
}

export function unwatchIdle(connection: IdleTarget): void {
  timerOf(connection).delete(connection);
}

/** One timer. Writing to a connection does not touch it: when it fires, it looks at all, then sleeps until the next can be due. */
class IdleTimer {
  readonly #connections = new Set<IdleTarget>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wake = Number.POSITIVE_INFINITY;

  add(connection: IdleTarget): void {
    this.#connections.add(connection);
    const due = connection.lastSent + connection.idleAfter;
    if (due < this.#wake) this.#sleepUntil(due);
  }

  delete(connection: IdleTarget): void {
    if (this.#connections.delete(connection) && this.#connections.size === 0)
      this.#sleepUntil(Number.POSITIVE_INFINITY);
  }

  #beatAll(): void {
    noteTimerFired(this.#wake);
    const time = now();
    let next = Number.POSITIVE_INFINITY;
    let shortest = Number.POSITIVE_INFINITY;
    for (const connection of this.#connections) {
      if (connection.lastSent + connection.idleAfter <= time) connection.onIdle(time);
      if (!this.#connections.has(connection)) continue;
      const due = connection.lastSent + connection.idleAfter;
      if (due < next) next = due;
      if (connection.idleAfter < shortest) shortest = connection.idleAfter;
    }
    // Connections are due at scattered moments: those within a twentieth of the silence share one waking.
    const isOver = this.#connections.size === 0;
    this.#sleepUntil(isOver ? Number.POSITIVE_INFINITY : Math.max(next, time + shortest / 20));
  }

  #sleepUntil(time: number): void {
    clearTimeout(this.#timer);
    this.#wake = time;
    this.#timer =
      time === Number.POSITIVE_INFINITY
        ? undefined
        : unrefTimeout(() => this.#beatAll(), Math.max(1, Math.ceil(time - now())));
  }
}

const sharedTimer = new IdleTimer();
const ownTimers = new WeakMap<IdleTarget, IdleTimer>();

function timerOf(connection: IdleTarget): IdleTimer {
  return (isWorkers ? ownTimers.get(connection) : undefined) ?? sharedTimer;
}
