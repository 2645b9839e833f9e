// The options of the suite of logs, and the storage that it asks for.
import type { Log, Retention } from "../../log/log.ts";

/** The options of {@link testLog}. */
export interface LogSuiteOptions {
  /** The `test` of Vitest, of `node:test`, of Bun, or of any other framework of that form. */
  test: (name: string, run: () => Promise<void>) => unknown;
  /** Makes a new, empty storage for logs with this retention. */
  storage: (retention: Retention) => LogStorage | Promise<LogStorage>;
  /** Time that one test may take, in milliseconds. @default 10_000 */
  deadline?: number;
  /** Entries are still there when the storage is opened again. @default false */
  persistent?: boolean;
  /** Several logs may be open on one storage at a time, as in several processes. @default false */
  shared?: boolean;
  /** `trimmed` counts the selection alone; `false` for a log that counts all channels. @default true */
  trimmedBySelection?: boolean;
  /** The newest entries can be lost while logs are open, as in a failover: the storage has `lose`. @default false */
  lossy?: boolean;
  /** A copy can be restored while logs are open: the storage has `copy`. @default false */
  restorable?: boolean;
  /** Appends can be made to fail: the storage has `fail`. @default false */
  failing?: boolean;
}

/** The storage of one test. */
export interface LogStorage {
  /** Opens a log on it. */
  open(): Log | Promise<Log>;
  /** Removes this many of the newest entries, as a failover to a copy that lags does. Logs continue with the rest. */
  lose?(count: number): unknown;
  /** Copies everything. Returns, or resolves with, a function that restores the copy, as often as it is called. */
  copy?(): (() => unknown) | Promise<() => unknown>;
  /**
   * Makes appends fail from now on: with `"refused"` nothing is stored, with `"lost"` entries are stored and the answer
   * never arrives. `null` ends it.
   */
  fail?(how: "refused" | "lost" | null): unknown;
  /** Called when every log on it is closed. */
  remove?(): unknown;
}
