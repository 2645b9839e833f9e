import { LogError, SourcecastError } from "../../base/errors.ts";
import type { SQLiteLike } from "./database.ts";

/** Opens a file with the SQLite of the runtime. */
export function openFile(path: string): SQLiteLike {
  const sqlite = builtinSqlite();
  if (sqlite === undefined) {
    throw new SourcecastError(
      "ERR_SSE_LOG",
      "This runtime has no module node:sqlite, which the option path needs; use Node 22.13 or later, or open the file with " +
        "better-sqlite3 or bun:sqlite and pass it as the option database",
    );
  }
  return new sqlite.DatabaseSync(path);
}

interface ProcessLike {
  getBuiltinModule?: (id: string) => { DatabaseSync: new (path: string) => SQLiteLike } | undefined;
  emitWarning: (...args: unknown[]) => void;
}

/** Asked for when it is needed: no runtime has to know the module in order to load this one. */
function builtinSqlite() {
  const { process } = globalThis as { process?: ProcessLike };
  if (process?.getBuiltinModule === undefined) return undefined;
  // Node 22 and some of 24 warn of it as experimental when it is loaded. Users of a log can do nothing about that.
  const { emitWarning } = process;
  process.emitWarning = (...args) => {
    if (!/sqlite/i.test(String(args[0]))) emitWarning.apply(process, args);
  };
  try {
    return process.getBuiltinModule("node:sqlite");
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** What can be wrong with a database, as far as somebody can do something about it. */
type Failure = "locked" | "full" | "damaged" | "readonly" | "unreachable" | "other";

/** True when another connection holds a lock, so that it helps to try again. */
export function isLocked(error: unknown): boolean {
  return failureOf(error) === "locked";
}

/** The error of a driver as one that says what to do about it. Errors of this package stay as they are. */
export function explain(error: unknown, name: string): SourcecastError {
  if (error instanceof SourcecastError) return error;
  const found = error instanceof Error ? error.message : String(error);
  return new LogError(`${advice[failureOf(error)](name)} (SQLite: ${found})`, false, { cause: error });
}

const advice: Record<Failure, (name: string) => string> = {
  locked: (name) =>
    `The log waited in vain for another process or transaction that holds the lock of ${name}; end that one and try again`,
  full: (name) =>
    `There is no room left for ${name}, and nothing was stored; free some on the disk, or lower maxEvents or maxBytes, and try again`,
  damaged: (name) =>
    `The log cannot use ${name}: it is damaged or no SQLite database; restore it from a copy, or move it away and a new log begins`,
  readonly: (name) => `The log cannot write to ${name}; give this process the right to write to it and to its folder`,
  unreachable: (name) =>
    `The log cannot open ${name}; see that its folder exists and that this process may write there`,
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
  // storage has the name at the end of its message alone.
  const primary = typeof errcode === "number" ? errcode & 0xff : undefined;
  const named = code === undefined ? /: (SQLITE_[A-Z_]+)/.exec(String(message))?.[1] : String(code);
  const found = failures.find(([number, name]) => number === primary || named?.startsWith(name));
  return found?.[2] ?? "other";
}
