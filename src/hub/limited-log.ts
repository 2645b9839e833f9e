// The log of a hub for the folders above it: none of its calls waits longer than the limits of the hub allow.
import type { CompleteLog } from "../log/complete.ts";
import type { LogDeadline } from "./log-deadline.ts";

/**
 * The log with a deadline on each question and each append. `close` and `clear` are left to the hub, and a tail has none.
 *
 * @param deadline Of questions.
 * @param appendDeadline Of appends.
 */
export function limitedLog(log: CompleteLog, deadline: LogDeadline, appendDeadline: LogDeadline): LimitedLog {
  return {
    append: (entries) => appendDeadline.limit(log.append(entries), "log.append()"),
    head: () => deadline.limit(log.head(), "log.head()"),
    read: (after, options) => deadline.limit(log.read(after, options), "log.read()"),
    last: (count, selection) => deadline.limit(log.last(count, selection), "log.last()"),
    latestByKey: (selection, options) => deadline.limit(log.latestByKey(selection, options), "log.latestByKey()"),
  };
}

/** The calls of a log that other folders use. */
export type LimitedLog = Pick<CompleteLog, "append" | "head" | "read" | "last" | "latestByKey">;
