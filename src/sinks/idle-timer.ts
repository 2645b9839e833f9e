// One timer for all idle connections: keep-alives, and the checks for bodies that no client reads.
import { WakeTimer } from "../base/clock.ts";
import { isWorkers } from "../base/runtime.ts";

/** A connection with an idle timeout. */
export interface IdleTarget {
  /** Idle time in milliseconds after which `onIdle` is called; `Infinity` for never. */
  readonly idleAfter: number;
  /** When bytes were last sent, in the time of `now()`. */
  readonly lastSent: number;
  /** Called once `idleAfter` has passed. It must update `lastSent`, change `idleAfter`, or call `unwatchIdle`. */
  onIdle(time: number): void;
}

/**
 * Starts the idle timeout of a connection. All connections share one timer, except on Workers: a timer there ends with the
 * request that set it, so each connection has its own.
 */
export function watchIdle(connection: IdleTarget): void {
  if (connection.idleAfter === Number.POSITIVE_INFINITY) return;
  if (isWorkers) ownTimers.set(connection, new IdleTimer());
  timerOf(connection).add(connection);
}

/** Ends the idle timeout of a connection. */
export function unwatchIdle(connection: IdleTarget): void {
  timerOf(connection).delete(connection);
}

/**
 * One timer for many connections. Sending to a connection does not touch it: when it fires, it checks all of them, then
 * sleeps until the next can be due.
 */
class IdleTimer {
  readonly #connections = new Set<IdleTarget>();
  readonly #timer = new WakeTimer((time) => this.#check(time));

  add(connection: IdleTarget): void {
    this.#connections.add(connection);
    this.#timer.set(connection.lastSent + connection.idleAfter);
  }

  delete(connection: IdleTarget): void {
    if (this.#connections.delete(connection) && this.#connections.size === 0) this.#timer.stop();
  }

  #check(time: number): void {
    let wake = Number.POSITIVE_INFINITY;
    for (const connection of this.#connections) {
      if (connection.lastSent + connection.idleAfter <= time) connection.onIdle(time);
      // `onIdle` may have ended the connection, or its watch.
      if (!this.#connections.has(connection)) continue;
      // Connections are due at scattered moments. Those within a twentieth of their idle time share one wake-up.
      const due = Math.max(connection.lastSent + connection.idleAfter, time + connection.idleAfter / 20);
      if (due < wake) wake = due;
    }
    if (this.#connections.size > 0) this.#timer.set(wake);
  }
}

const sharedTimer = new IdleTimer();
const ownTimers = new WeakMap<IdleTarget, IdleTimer>();

function timerOf(connection: IdleTarget): IdleTimer {
  return (isWorkers ? ownTimers.get(connection) : undefined) ?? sharedTimer;
}
