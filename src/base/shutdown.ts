// Closes open streams on SIGTERM and SIGHUP, then lets the process end as it would have without this package.
import { runDetached } from "./async-context.ts";
import { unrefTimeout } from "./clock.ts";
import { isWorkers } from "./runtime.ts";

/** An open stream that is to end when the process is asked to end. */
export interface Closable {
  close(reason: string): Promise<void>;
}

/** The part of `process` that Node, Bun and Deno share. */
interface ProcessLike {
  readonly pid: number;
  prependListener(signal: string, listener: (signal: string) => void): unknown;
  removeListener(signal: string, listener: (signal: string) => void): unknown;
  listeners(signal: string): readonly unknown[];
  kill(pid: number, signal: string): unknown;
}

const closeSignals = ["SIGTERM", "SIGHUP"];
/** How long the ends of the streams may take to leave before the signal does what it would have done. */
const shutdownGraceMs = 1_000;
/** The last bytes of a web body pass through the server's own hands after its stream has ended. */
const bodyFlushMs = 100;
/**
 * How long the handlers outlast a last stream that its client ended. What ends a proxy often ends the process too, and Node
 * drops a signal that it has taken from the system and not yet passed on when the handler goes.
 */
const handlerLingerMs = 200;
/** A process that lives so long after the signal did not mean to end: a SIGHUP that re-reads the configuration. */
const maxShutdownMs = 60_000;

// Taken at import: this is about the system's time, whatever a test makes of the clock.
const realSetTimeout: (callback: () => void, delay: number) => unknown = setTimeout;

const openStreams = new Set<Closable>();
let isInstalled = false;
let stoppingUntil = 0;

/** Ends `stream` when the process gets SIGTERM or SIGHUP. The handlers are there while a stream is open, no longer. */
export function closeOnSignal(stream: Closable): void {
  // Workers get no signal, and a stream whose request was dropped would be held for ever.
  if (isWorkers) return;
  openStreams.add(stream);
  if (isInstalled) return;
  isInstalled = true;
  // First in line: a listener of the application that listens once is still there to be seen when ours is called, and ours
  // is gone when a library looks whether it is alone.
  // The handle of a signal captures the context of the request in which it is made.
  runDetached(() => {
    for (const signal of closeSignals) currentProcess()?.prependListener(signal, onSignal);
  });
}

/** @param byClient The client left, which says nothing of the process: a signal of the same moment is still under way. */
export function cancelCloseOnSignal(stream: Closable, byClient: boolean): void {
  if (!openStreams.delete(stream) || openStreams.size > 0) return;
  if (byClient) (realSetTimeout(removeIdleHandlers, handlerLingerMs) as { unref?: () => void }).unref?.();
  else removeHandlers();
}

/** True between the signal and the end of the process: a stream that is asked for now would only be torn down again. */
export function isStopping(): boolean {
  return stoppingUntil !== 0 && Date.now() < stoppingUntil;
}

/** Marks the handlers of every copy of this package, none of which is the application's. */
const ownHandler: symbol = Symbol.for("sourcecast.signal");

async function onSignal(signal: string): Promise<void> {
  stoppingUntil = Date.now() + maxShutdownMs;
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

function removeIdleHandlers(): void {
  if (openStreams.size === 0) removeHandlers();
}

function removeHandlers(): void {
  isInstalled = false;
  for (const signal of closeSignals) currentProcess()?.removeListener(signal, onSignal);
}

function currentProcess(): ProcessLike | undefined {
  const { process } = globalThis as { process?: Partial<ProcessLike> };
  return typeof process?.prependListener === "function" && typeof process.kill === "function"
    ? (process as ProcessLike)
    : undefined;
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => unrefTimeout(resolve, milliseconds));
}
