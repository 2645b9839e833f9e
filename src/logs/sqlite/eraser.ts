// Erasing a channel: from the tables, from the pages of the file, and from the journal.
import { clearEntry, clearedChannel } from "../../log/cleared.ts";
import type { LogEntry } from "../../log/log.ts";
import type { SqlConnection, Statement } from "./connection.ts";
import { StateReader } from "./state.ts";
import type { Writer } from "./writer.ts";

/** Longest value that SQLite takes by default, in bytes. */
const maxBlobBytes = 1_000_000_000 - 1_024;

/**
 * An ordinary `DELETE` or `UPDATE` leaves the old bytes in the pages of the file, until they are needed for something else.
 * With `secure_delete`, SQLite overwrites them (https://sqlite.org/pragma.html#pragma_secure_delete). The log runs with `FAST`, which
 * costs nothing and leaves old bytes only in pages that have become free; `ON` costs writes, so it is on only while a channel
 * is erased. Then every free page is overwritten, since retention may have removed entries of the channel before. The
 * write-ahead log has a copy of every page that was written lately: a checkpoint that truncates it removes them.
 */
export class Eraser {
  readonly #connection: SqlConnection;
  readonly #writer: Writer;
  readonly #state: StateReader;
  readonly #range: Statement<{ first: number | null; last: number | null }>;
  readonly #removeValues: Statement;
  readonly #emptySlots: Statement;
  readonly #forgetKeys: Statement;
  readonly #secureDelete: Statement<{ secure_delete: number }>;
  readonly #freePages: Statement<{ freelist_count: number }>;
  readonly #pageSize: Statement<{ page_size: number }>;
  readonly #checkpoint: Statement<{ busy: number }>;

  constructor(connection: SqlConnection, writer: Writer) {
    this.#connection = connection;
    this.#writer = writer;
    this.#state = new StateReader(connection);
    this.#range = connection.prepare(
      "SELECT min(offset) AS first, max(offset) AS last FROM sse_entry WHERE channel = ?",
    );
    this.#removeValues = connection.prepare("DELETE FROM sse_entry WHERE channel = ? AND offset <= ?");
    // The weight stays: the sums of later entries include it.
    this.#emptySlots = connection.prepare(
      `UPDATE sse_entry SET channel = ?, type = 'sse:cleared', superseded = 0, key_ordinal = NULL, key = NULL, sender = NULL,
       data = '' WHERE channel = ?`,
    );
    this.#forgetKeys = connection.prepare("DELETE FROM sse_idempotency WHERE channel = ?");
    this.#secureDelete = connection.prepare("PRAGMA secure_delete");
    this.#freePages = connection.prepare("PRAGMA freelist_count");
    this.#pageSize = connection.prepare("PRAGMA page_size");
    this.#checkpoint = connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  /**
   * Erases the entries of a channel, and appends the one that records it, in one transaction.
   *
   * @returns `null` if the channel has no entries.
   */
  erase(channel: string): { epoch: string; entry: LogEntry } | null {
    const before = Number(this.#secureDelete.get()?.secure_delete ?? 0);
    this.#connection.exec("PRAGMA secure_delete = ON");
    try {
      return this.#connection.write(() => {
        const { first, last } = this.#range.get(channel) ?? {};
        if (first == null || last == null) return null;
        const { trimmed } = this.#state.read();
        this.#removeValues.run(channel, trimmed);
        this.#emptySlots.run(clearedChannel, channel);
        this.#forgetKeys.run(channel);
        this.#overwriteFreePages();
        return this.#writer.appendOne(clearEntry(channel, { from: Number(first), to: Number(last) }));
      });
    } finally {
      // 2 stands for FAST.
      this.#connection.exec(`PRAGMA secure_delete = ${before === 2 ? "FAST" : before === 1 ? "ON" : "OFF"}`);
    }
  }

  /** SQLite takes free pages before it makes the file longer: a table that needs as many as there are takes all of them. */
  #overwriteFreePages(): void {
    const pages = Number(this.#freePages.get()?.freelist_count ?? 0);
    if (pages === 0) return;
    const bytes = Math.min(pages * Number(this.#pageSize.get()?.page_size ?? 4_096), maxBlobBytes);
    this.#connection.exec(
      `CREATE TABLE sse_overwrite (zeros BLOB); INSERT INTO sse_overwrite VALUES (zeroblob(${bytes})); DROP TABLE sse_overwrite`,
    );
  }

  /** Moves everything from the write-ahead log into the file, and truncates it. False while something else reads from it. */
  emptyJournal(): boolean {
    return Number(this.#checkpoint.get()?.busy ?? 0) === 0;
  }
}
