// The files of a database, seen from outside of SQLite: whether they are still those that it has open.
import { now } from "../../base/clock.ts";
import { LogError } from "../../base/errors.ts";

/**
 * A file that takes the place of a lost one is opened once it has not changed for this long, because it may be copied
 * piece by piece.
 */
const settleMs = 500;

/** The file of a log was removed, renamed or replaced while the log ran. */
export class LostFileError extends LogError {
  constructor(message: string) {
    super(message, false);
  }
}

/** The part of `node:fs` that the log uses. Every runtime with files has it under that name. */
export interface FileSystemLike {
  statSync(path: string, options: { bigint: true; throwIfNoEntry: false }): FileStats | undefined;
  unlinkSync(path: string): void;
  utimesSync(path: string, accessed: Date, modified: Date): void;
  /** On macOS it opens the file (kqueue), and closing it releases the locks that SQLite has on it: only for the WAL. */
  watch(
    path: string,
    options: { persistent: false },
    listener: () => void,
  ): { close(): void; on(event: "error", listener: (error: unknown) => void): unknown };
}

/** Integers of 64 bits: a `number` cannot represent every inode of NTFS, nor nanoseconds of Unix time. */
interface FileStats {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

/**
 * The file system, as far as this process may look at a database and its WAL there. `undefined` where there is none.
 * Requested when it is needed, so that runtimes without files can load this module.
 */
export function fileSystem(path: string): FileSystemLike | undefined {
  const { process, Deno } = globalThis as {
    process?: { getBuiltinModule?: (id: string) => FileSystemLike | undefined };
    Deno?: { permissions: { querySync(permission: { name: "read"; path: string }): { state: string } } };
  };
  // Deno asks its user, on the terminal, before a program looks at a file without permission.
  const isGranted = (file: string) => Deno?.permissions.querySync({ name: "read", path: file }).state !== "prompt";
  return isGranted(path) && isGranted(walOf(path)) ? process?.getBuiltinModule?.("node:fs") : undefined;
}

/** The write-ahead log, into which every commit goes first. It exists as long as a connection is open. */
export function walOf(path: string): string {
  return `${path}-wal`;
}

/**
 * The files of a connection: the database and its WAL. Data in neither of them is not stored.
 *
 * SQLite continues with a file that was removed or renamed, and acknowledges commits that are lost with it; see "How To Corrupt
 * An SQLite Database File", 1.4 and 4.2 (https://sqlite.org/howtocorrupt.html). The files are not opened for this check:
 * closing one would release the locks that SQLite has on it (2.2 of the same page).
 */
export class OpenFiles {
  /** Counts how often the database file was written, by a checkpoint or by something else. */
  writes = 0;
  readonly #fs: FileSystemLike;
  readonly #path: string;
  readonly #database: FileStats;
  /** `null` for a database that is not in WAL mode. */
  readonly #wal: FileStats | null;
  #lastWrite: Pick<FileStats, "size" | "mtimeNs">;
  #areClosed = false;
  /** The file that has taken the place of the lost one, and the time from which on it has looked like this. */
  #replacement: { readonly found: FileStats | undefined; readonly since: number } = { found: undefined, since: 0 };

  /** `null` where the runtime has no files, or does not let this process look. */
  static of(path: string): OpenFiles | null {
    const fs = fileSystem(path);
    try {
      // Without permission to look, the log works without the check rather than not at all.
      return fs === undefined ? null : new OpenFiles(fs, path);
    } catch {
      return null;
    }
  }

  private constructor(fs: FileSystemLike, path: string) {
    this.#fs = fs;
    this.#path = path;
    this.#database = this.#stat(path) ?? this.#lost(path, undefined);
    this.#wal = this.#stat(walOf(path)) ?? null;
    this.#lastWrite = this.#database;
  }

  /** @throws {LogError} when one of the files was removed, renamed or replaced since. */
  assertInPlace(): void {
    const { size, mtimeNs } = this.#assertSame(this.#path, this.#database);
    if (this.#wal !== null) this.#assertSame(walOf(this.#path), this.#wal);
    if (size === this.#lastWrite.size && mtimeNs === this.#lastWrite.mtimeNs) return;
    this.#lastWrite = { size, mtimeNs };
    this.writes++;
  }

  areInPlace(): boolean {
    try {
      this.assertInPlace();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Whether another file has taken the place of the lost one, and has not changed for a moment. A database without its WAL is
   * not among them: SQLite shares the state of a WAL among the connections of a process, and would continue with that of the lost
   * one.
   */
  areReplaced(): boolean {
    const found = this.#stat(this.#path);
    const { found: before, since } = this.#replacement;
    const isUnchanged = found !== undefined && before !== undefined && isSameState(found, before);
    if (!isUnchanged) this.#replacement = { found, since: now() };
    // An inode can be given to another file as soon as this one is closed.
    const isOther = this.#areClosed || (found !== undefined && !isSame(found, this.#database));
    return isUnchanged && isOther && now() - since >= settleMs;
  }

  /**
   * Removes the WAL of the lost file if it still lies next to the file that took its place: SQLite would take what is
   * in it for the newest pages of that file. The shared memory is an index of the WAL, and is removed with it. The
   * connection must have been closed; other processes that have the lost file notice for themselves.
   */
  removeLeftovers(): void {
    const wal = walOf(this.#path);
    const left = this.#stat(wal);
    const isOfLost = !this.#areClosed && this.#wal !== null && left !== undefined && isSame(left, this.#wal);
    this.#areClosed = true;
    if (left !== undefined && !isOfLost) return;
    for (const file of [wal, `${this.#path}-shm`]) if (this.#stat(file) !== undefined) this.#fs.unlinkSync(file);
  }

  /**
   * Device and inode identify a file: its inode cannot be given to another one while SQLite has it open. The name
   * alone would not notice a file that was moved away and restored from a copy.
   */
  #assertSame(path: string, known: FileStats): FileStats {
    const found = this.#stat(path);
    return found !== undefined && isSame(found, known) ? found : this.#lost(path, found);
  }

  #stat(path: string): FileStats | undefined {
    return this.#fs.statSync(path, { bigint: true, throwIfNoEntry: false });
  }

  #lost(path: string, found: FileStats | undefined): never {
    // The wait for a file that has taken its place begins here.
    this.areReplaced();
    const what = found === undefined ? "is no longer there" : "is another file now";
    throw new LostFileError(
      `The log has lost its file ${JSON.stringify(this.#path)}: ${JSON.stringify(path)} ${what}, and whatever is stored would ` +
        "be lost with it; put the file back, or restore a copy in its place, after all processes that use the log have stopped",
    );
  }
}

function isSame(one: FileStats, other: FileStats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

function isSameState(one: FileStats, other: FileStats): boolean {
  return isSame(one, other) && one.size === other.size && one.mtimeNs === other.mtimeNs;
}
