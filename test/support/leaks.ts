/** Leaks of a test file: resources of its process, compared with those that were there before it. */
import { setImmediate, setTimeout } from "node:timers";

export interface LeakWatch {
  readonly resources: ReadonlyMap<string, number>;
  readonly listeners: ReadonlyMap<string, number>;
  /** Timers made by the code of this repository and not yet over, with the line that made each. */
  readonly timers: ReadonlyMap<NodeJS.Timeout, string>;
  /** One turn of the real event loop, whatever clock a test has put in place. */
  turn(): Promise<void>;
}

export function startLeakWatch(): LeakWatch {
  // Their pipes are opened at the first look, which must not be counted as a test's.
  void process.stdout.writable;
  void process.stderr.writable;
  return { timers: watchTimers(), resources: resources(), listeners: listeners(), turn };
}

/** One line for each thing still there after a grace: sockets close in it, and lingering handlers of signals are removed. */
export async function leaks(before: LeakWatch, graceMs = 3_000): Promise<string[]> {
  const deadline = performance.now() + graceMs;
  for (;;) {
    await turn();
    const found = [
      ...leftTimers(before),
      ...excess(before.resources, resources()),
      ...excess(before.listeners, listeners()),
    ];
    if (found.length === 0 || performance.now() > deadline) return found.map((what) => `Left behind: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Resources that keep the event loop alive and come from tests. Pipes and ports belong to Vitest's workers. */
const watchedResources = new Set([
  "TCPSocketWrap",
  "TCPServerWrap",
  "TLSWrap",
  "UDPWrap",
  "ProcessWrap",
  "FSEventWrap",
]);
const watchedListeners = ["SIGTERM", "SIGHUP", "SIGINT", "SIGBREAK", "beforeExit", "uncaughtException"];

function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) {
    if (watchedResources.has(type)) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return counts;
}

function listeners(): Map<string, number> {
  return new Map(watchedListeners.map((name) => [`listener of process "${name}"`, process.listenerCount(name)]));
}

function excess(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...after].flatMap(([name, count]) => {
    const more = count - (before.get(name) ?? 0);
    return more > 0 ? [`${more} × ${name}`] : [];
  });
}

/**
 * Timers are watched where they are made: a timer that was unref'd is a leak too, yet is not among the resources that
 * keep the loop alive, and the resources do not tell Vitest's timers from those of a test.
 */
function watchTimers(): Map<NodeJS.Timeout, string> {
  const alive = new Map<NodeJS.Timeout, string>();
  for (const name of ["setTimeout", "setInterval"] as const) {
    const original = globalThis[name] as (...args: unknown[]) => NodeJS.Timeout;
    const watched = (...args: unknown[]): NodeJS.Timeout => {
      const timer = original(...args);
      const maker = makerOf(new Error().stack ?? "");
      if (maker) alive.set(timer, `${name} made at ${maker}`);
      if (alive.size % 1_000 === 0) forgetOver(alive);
      return timer;
    };
    // util.promisify(setTimeout) finds its other form on the function.
    Object.defineProperties(watched, Object.getOwnPropertyDescriptors(original));
    globalThis[name] = watched as never;
  }
  return alive;
}

function leftTimers({ timers }: LeakWatch): string[] {
  return [...timers].flatMap(([timer, maker]) => (isOver(timer) ? [] : [maker]));
}

/** A test of many timers must not keep them all in memory. */
function forgetOver(timers: Map<NodeJS.Timeout, string>): void {
  for (const timer of timers.keys()) if (isOver(timer)) timers.delete(timer);
}

/** Node marks a timer that fired or was cleared, and has no public word for it. */
function isOver(timer: NodeJS.Timeout): boolean {
  return (timer as { _destroyed?: boolean })._destroyed === true;
}

/** The first line of a stack outside of this file, when it is code of this repository. */
function makerOf(stack: string): string | undefined {
  const caller = stack
    .split("\n")
    .slice(1)
    .find((line) => !line.includes("/test/support/leaks.ts"));
  const ours = caller && /\/(src|dist|test|examples)\//.test(caller) && !/\/node_modules\/|node:/.test(caller);
  return ours ? caller.trim().replace(/^at /, "") : undefined;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
