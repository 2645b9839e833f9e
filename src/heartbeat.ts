import { now, reached, unrefTimeout } from "./clock.ts";
import { isWorkers } from "./runtime.ts";

/** A connection that is to be heard of after a silence. */
export interface Beating {
  /** Milliseconds of silence after which `beat` is called; `Infinity` for never. */
  readonly silence: number;
  /** When it was last heard of, in the time of `now()`. */
  readonly lastSent: number;
  /** Is heard of at `time`, has another silence from now on, or stops. */
  beat(time: number): void;
}

/**
 * Watches a connection's silence. One timer serves all connections, except on Workers, where a timer ends with the request
 * that set it: there each connection has its own.
 */
export function startHeartbeat(connection: Beating): void {
  if (connection.silence === Number.POSITIVE_INFINITY) return;
  if (isWorkers) own.set(connection, new Heart());
  heartOf(connection).add(connection);
}

export function stopHeartbeat(connection: Beating): void {
  heartOf(connection).delete(connection);
}

/** One timer. Writing to a connection does not touch it: when it fires, it looks at all, then sleeps until the next can be due. */
class Heart {
  readonly #connections = new Set<Beating>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wake = Number.POSITIVE_INFINITY;

  add(connection: Beating): void {
    this.#connections.add(connection);
    const due = connection.lastSent + connection.silence;
    if (due < this.#wake) this.#sleepUntil(due);
  }

  delete(connection: Beating): void {
    if (this.#connections.delete(connection) && this.#connections.size === 0)
      this.#sleepUntil(Number.POSITIVE_INFINITY);
  }

  #beatAll(): void {
    reached(this.#wake);
    const time = now();
    let next = Number.POSITIVE_INFINITY;
    let shortest = Number.POSITIVE_INFINITY;
    for (const connection of this.#connections) {
      if (connection.lastSent + connection.silence <= time) connection.beat(time);
      if (!this.#connections.has(connection)) continue;
      const due = connection.lastSent + connection.silence;
      if (due < next) next = due;
      if (connection.silence < shortest) shortest = connection.silence;
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

const shared = new Heart();
const own = new WeakMap<Beating, Heart>();

function heartOf(connection: Beating): Heart {
  return (isWorkers ? own.get(connection) : undefined) ?? shared;
}
