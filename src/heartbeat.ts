import { now, reached, unrefTimeout } from "./clock.ts";

/** A connection that is to be heard of after a silence. */
export interface Beating {
  /** Milliseconds of silence after which `beat` is called; `Infinity` for never. */
  readonly silence: number;
  /** When it was last heard of, in the time of `now()`. */
  readonly lastSent: number;
  beat(time: number): void;
}

const connections = new Set<Beating>();
let timer: ReturnType<typeof setTimeout> | undefined;
let wake = Number.POSITIVE_INFINITY;

/**
 * Watches a connection's silence. One timer serves all connections and writing to one does not touch it: when it fires,
 * it looks at all of them, then sleeps until the next can be due.
 */
export function startHeartbeat(connection: Beating): void {
  if (connection.silence === Number.POSITIVE_INFINITY) return;
  connections.add(connection);
  const due = connection.lastSent + connection.silence;
  if (due < wake) sleepUntil(due);
}

export function stopHeartbeat(connection: Beating): void {
  if (connections.delete(connection) && connections.size === 0) sleepUntil(Number.POSITIVE_INFINITY);
}

function beatAll(): void {
  reached(wake);
  const time = now();
  let next = Number.POSITIVE_INFINITY;
  let shortest = Number.POSITIVE_INFINITY;
  for (const connection of connections) {
    let due = connection.lastSent + connection.silence;
    if (due <= time) {
      connection.beat(time);
      due = time + connection.silence;
    }
    if (due < next) next = due;
    if (connection.silence < shortest) shortest = connection.silence;
  }
  // Connections are due at scattered moments: those within a twentieth of the silence share one waking.
  sleepUntil(connections.size === 0 ? Number.POSITIVE_INFINITY : Math.max(next, time + shortest / 20));
}

function sleepUntil(time: number): void {
  clearTimeout(timer);
  wake = time;
  timer = time === Number.POSITIVE_INFINITY ? undefined : unrefTimeout(beatAll, Math.max(1, Math.ceil(time - now())));
}
