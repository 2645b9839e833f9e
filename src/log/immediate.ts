// Logs whose state is in the memory of this process, so that they can answer in the tick of the question.
import type { Located, LocateQuestion, LocatingLog } from "./log.ts";

type Locate = LocatingLog["locate"];

/** Returns the value that `locate` of the log resolves with. */
type LocateNow<L extends LocatingLog> = (log: L, questions: readonly LocateQuestion[]) => Located;

/**
 * By the function and not by the log: a caller that replaces or wraps `locate`, to delay it or to count its calls, still gets
 * every question.
 */
const immediate = new WeakMap<Locate, LocateNow<never>>();

/** Declares that a method `locate` is asynchronous only for the contract. */
export function declareImmediate<L extends LocatingLog>(locate: Locate, locateNow: LocateNow<L>): void {
  immediate.set(locate, locateNow as LocateNow<never>);
}

/** True for a log that {@link locateNow} can ask. */
export function isImmediate({ locate }: LocatingLog): boolean {
  return immediate.has(locate);
}

/** Asks a log for which {@link isImmediate} is true. */
export function locateNow(log: LocatingLog, questions: readonly LocateQuestion[]): Located {
  return (immediate.get(log.locate) as LocateNow<LocatingLog>)(log, questions);
}
