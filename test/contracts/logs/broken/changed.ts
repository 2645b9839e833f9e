// A log with some of its methods replaced.
import type { CompleteLog } from "../../../../src/log/complete.ts";
import type { LogSuiteOptions } from "../../../../src/testing/index.ts";

/** The behavior of a broken log instead of the working one. */
export type Change = (log: CompleteLog) => Partial<CompleteLog>;

/** Logs that each break one sentence of the contract, by what they do. */
export type BrokenLogs = Record<string, BrokenLog>;

export interface BrokenLog {
  /** A test of the suite that must find it. */
  readonly found: RegExp;
  readonly change?: Change;
  /** In place of a changed plain log. */
  readonly storage?: LogSuiteOptions["storage"];
  readonly options?: Partial<LogSuiteOptions>;
}

export function changed(log: CompleteLog, change: Change): CompleteLog {
  const members = change(log);
  return new Proxy(log, {
    get(_, name: keyof CompleteLog) {
      const member: unknown = name in members ? members[name] : log[name];
      // A promise that is resolved with a log asks it for a method then(), too.
      return typeof member === "function" ? member.bind(log) : member;
    },
  });
}
