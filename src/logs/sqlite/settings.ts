// The settings of a log that its database does not know.
import type { Session } from "./session.ts";

/** The settings of a `SqliteLog` that are not those of its database. */
export interface SqliteLogSettings {
  /** How long to wait for a lock, in milliseconds. */
  readonly busyTimeout: number;
  /** Opens the file that has taken the place of a lost one; `undefined` for a database that the application has opened. */
  readonly reopen: ((file: string) => Session) | undefined;
}
