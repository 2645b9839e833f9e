// Closes open streams on SIGTERM and SIGHUP, then lets the process end as it would have without this package.
import { runDetached } from "./async-context.ts";
import { now, setImmediateOrTimeout, unrefTimeout } from "./clock.ts";
import { isEdgeRuntime, isWorkers } from "./runtime.ts";

/** An open stream that is to end when the process is asked to end. */
export interface Closable {
  close(reason: string): Promise<void>;
}

const closeSignals = ["SIGTERM", "SIGHUP"];
/** How long to wait for the ends of the streams to leave before the signal has its usual effect. */
const shutdownGraceMs = 1_000;
/** After a stream has ended, the last bytes of a web body still pass through the server. */
const bodyFlushMs = 100;
/** A process that lives this long after the signal did not mean to end: a SIGHUP that re-reads the configuration. */
const maxShutdownMs = 60_000;
/**
 * How long the handlers stay after a client has ended the last stream, at least, and the random part. Whatever ends a
 * proxy or a client often ends this process a moment later. A signal can be lost while the handlers are being removed,
 * which takes milliseconds on a busy machine. So they must not be removed at a moment when a signal is likely.
 */
const [lingerMs, lingerSpreadMs] = [600, 300];

const openStreams = new Set<Closable>();
let isInstalled = false;
/** Set while the handlers outlast the last stream, which its client ended. `again` is set if that happens once more. */
let lingering: { again: boolean } | null = null;
let stoppingUntil = 0;

/** Ends `stream` when the process gets SIGTERM or SIGHUP. The handlers exist only around open streams. */
export function closeOnSignal(stream: Closable): void {
  // Workers get no signal, and a stream whose request was dropped would be held forever.
  if (isWorkers) return;
  openStreams.add(stream);
  if (isInstalled) return;
  isInstalled = true;
  // First in line: a listener of the application that listens once is still there to be seen when ours is called, and ours
  // is gone when a library checks whether it is alone. The handle of a signal captures the async context of its first
  // listener, so a request's must not be current.
  runDetached(() => {
    for (const signal of closeSignals) currentProcess()?.prependListener(signal, onSignal);
  });
}

/**
 * Undoes {@link closeOnSignal} for a stream that has ended.
 *
 * @param byClient The client left, which says nothing about the process: a signal may arrive at the same moment.
 * @returns After the last stream, unless its client ended it: resolves when the handlers are removed.
 */
export function cancelCloseOnSignal(stream: Closable, byClient: boolean): Promise<void> | undefined {
  if (!openStreams.delete(stream) || openStreams.size > 0) return undefined;
  if (!byClient) return removeAfterPoll();
  linger();
  return undefined;
}

/** True between the signal and the end of the process: a stream that opens now would only be closed again. */
export function isStopping(): boolean {
  return stoppingUntil !== 0 && now() < stoppingUntil;
}

/** Marks the handlers of every copy of this package, none of which is the application's. */
const ownHandler: symbol = Symbol.for("sourcecast.signal");

async function onSignal(signal: string): Promise<void> {
  stoppingUntil = now() + maxShutdownMs;
  const process = currentProcess();
  const onlyOurs = process?.listeners(signal).every((listener) => ownHandler in (listener as object));
  const ends = Array.from(openStreams, (stream) => stream.close("shutdown"));
  removeHandlers();
  // With handlers of its own the application decides whether and when the process exits.
  if (!onlyOurs) return;
  await Promise.race([Promise.all(ends), delay(shutdownGraceMs)]);
  await delay(bodyFlushMs);
  process?.kill(process.pid, signal);
}

Object.assign(onSignal, { [ownHandler]: true });

function linger(): void {
  if (lingering !== null) {
    lingering.again = true;
    return;
  }
  lingering = { again: false };
  // This kind of timer keeps no process alive.
  const timer = runDetached(() => AbortSignal.timeout(lingerMs + Math.floor(Math.random() * lingerSpreadMs)));
  timer.addEventListener("abort", () => {
    const { again } = lingering as { again: boolean };
    lingering = null;
    if (openStreams.size > 0) return;
    if (again) linger();
    else removeAfterPoll();
  });
}

/**
 * Removes the handlers after a whole turn of the event loop. Node calls the listeners of a signal when it polls, and
 * drops a signal whose last listener was removed between the arrival and that poll: if a timer or the end of the last
 * stream removed the handlers, all signals of that turn would be lost, and on a busy machine a turn takes milliseconds.
 * Right after a poll, only a signal of the same few microseconds can be lost, and that moment is unrelated to the end
 * of a stream.
 *
 * @see https://github.com/libuv/libuv/blob/v1.52.1/src/unix/signal.c uv__signal_event drops the signal of a stopped handle
 */
function removeAfterPoll(): Promise<void> {
  return new Promise((resolve) => {
    const remove = (): void => {
      if (openStreams.size === 0) removeHandlers();
      resolve();
    };
    // The first turn may be the one that is under way, with its poll in the past.
    setImmediateOrTimeout(() => setImmediateOrTimeout(remove));
  });
}

function removeHandlers(): void {
  isInstalled = false;
  for (const signal of closeSignals) currentProcess()?.removeListener(signal, onSignal);
}

function currentProcess(): ProcessLike | undefined {
  const { process } = globalThis as { process?: Partial<ProcessLike> };
  return !isEdgeRuntime && typeof process?.prependListener === "function" && typeof process.kill === "function"
    ? (process as ProcessLike)
    : undefined;
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => unrefTimeout(resolve, milliseconds));
}

/** The part of `process` that Node, Bun and Deno share. */
interface ProcessLike {
  readonly pid: number;
  prependListener(signal: string, listener: (signal: string) => void): unknown;
  removeListener(signal: string, listener: (signal: string) => void): unknown;
  listeners(signal: string): readonly unknown[];
  kill(pid: number, signal: string): unknown;
}
