// The driver of the runtime, and what the errors of all drivers mean.
import { LogError, SourcecastError } from "../../base/errors.ts";
import type { SQLiteLike } from "./connection.ts";

/** Opens a file with the SQLite of the runtime. */
export function openFile(path: string): SQLiteLike {
  const { process } = globalThis as { process?: ProcessLike };
  // Requested when it is needed, so that runtimes without the module can load this file.
  const sqlite = process?.getBuiltinModule?.("node:sqlite");
  if (sqlite === undefined) {
    throw new LogError(
      "This runtime has no module node:sqlite, which the option path needs; use Node 22.13 or later, or open the file with " +
        "better-sqlite3 or bun:sqlite and pass it as the option database",
      false,
    );
  }
  return new sqlite.DatabaseSync(path);
}

interface ProcessLike {
  getBuiltinModule?: (id: string) => { DatabaseSync: new (path: string) => SQLiteLike } | undefined;
}

/** A commit that failed in a way that leaves open whether it will be found in the file. */
export class CommitError extends Error {
  constructor(cause: unknown) {
    super("The commit failed", { cause });
    this.name = "CommitError";
  }
}

/** Kinds of failures that call for different remedies. */
type Failure = "locked" | "full" | "damaged" | "readonly" | "unreachable" | "other";

/** True when another connection holds a lock, so that it helps to try again. */
export function isLocked(error: unknown): boolean {
  return failureOf(error) === "locked";
}

/** True when there was no room for all that was to be written. */
export function isFull(error: unknown): boolean {
  return failureOf(error) === "full";
}

/**
 * The error of a driver as one that says what to do about it. Errors of this package stay as they are.
 *
 * @param name Of the database, in the message.
 */
export function explain(error: unknown, name: string): SourcecastError {
  if (error instanceof SourcecastError) return error;
  const isUnknown = error instanceof CommitError;
  const cause = isUnknown ? error.cause : error;
  const found = cause instanceof Error ? cause.message : String(cause);
  const outcome = isUnknown ? "; whether the events were stored is unknown" : "";
  const message = `${advice[failureOf(cause)](name)}${outcome} (SQLite: ${found})`;
  // Until the commit, every failure rolls the transaction back, so `stored` is false for all other errors.
  return new LogError(message, isUnknown ? "unknown" : false, { cause });
}

const advice: Record<Failure, (name: string) => string> = {
  locked: (name) =>
    `The log timed out waiting for the lock on ${name}, held by another process or transaction; release it, or raise busyTimeout`,
  full: (name) =>
    `There is no room left for ${name}, and nothing was stored; free space on the disk, or lower maxEvents or maxBytes, and try again`,
  damaged: (name) =>
    `The log cannot use ${name}: it is damaged or not an SQLite database; stop all processes that use it, then restore it ` +
    "from a copy without the files -wal and -shm next to it, or move it away to begin a new log",
  readonly: (name) => `The log cannot write to ${name}; give this process write permission for it and for its folder`,
  unreachable: (name) =>
    `The log cannot open ${name}; make sure that its folder exists and that this process may write there`,
  other: (name) => `The log failed to use ${name}`,
};

/** Result codes of SQLite by name, as better-sqlite3 and bun:sqlite give them, and by number, as node:sqlite does. */
const failures: readonly (readonly [code: number, name: string, failure: Failure])[] = [
  [5, "SQLITE_BUSY", "locked"],
  [6, "SQLITE_LOCKED", "locked"],
  [8, "SQLITE_READONLY", "readonly"],
  [11, "SQLITE_CORRUPT", "damaged"],
  [13, "SQLITE_FULL", "full"],
  [14, "SQLITE_CANTOPEN", "unreachable"],
  [26, "SQLITE_NOTADB", "damaged"],
];

function failureOf(error: unknown): Failure {
  const { errcode, code, message } = (error ?? {}) as { errcode?: unknown; code?: unknown; message?: unknown };
  // Extended result codes carry the primary one in the lowest byte, and in the beginning of their names. A Durable Object's
  // storage has the name only at the end of its message.
  // For example SQLITE_BUSY_SNAPSHOT, 517, is 5 in its lowest byte (https://sqlite.org/rescode.html).
  const primary = typeof errcode === "number" ? errcode & 0xff : undefined;
  const named = code === undefined ? /: (SQLITE_[A-Z_]+)/.exec(String(message))?.[1] : String(code);
  const found = failures.find(([number, name]) => number === primary || named?.startsWith(name));
  return found?.[2] ?? "other";
}
