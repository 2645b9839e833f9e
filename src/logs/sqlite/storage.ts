// The database of a Durable Object. The object is alone with it, so every read is of one state even without a transaction.
import type { Durability, SQLiteValue, SqlConnection, Statement } from "./connection.ts";

/** The storage of a Durable Object that is kept in SQLite: `ctx.storage`. */
export interface DurableObjectStorageLike {
  readonly sql: { exec(sql: string, ...values: (string | number | null | ArrayBuffer)[]): { toArray(): unknown[] } };
  transactionSync<T>(work: () => T): T;
  sync(): Promise<void>;
}

/**
 * The storage of one Durable Object, which has a single thread and no other writer. Nothing can run between two
 * synchronous statements, so a read needs no transaction, and there are no changes of others to look for.
 */
export class StorageConnection implements SqlConnection {
  readonly name = "the storage of the Durable Object";
  readonly file = null;
  readonly files = null;
  readonly isExclusive = true;
  readonly isEvictable = true;
  readonly #storage: DurableObjectStorageLike;
  #waitsForDisk = false;

  constructor(storage: DurableObjectStorageLike) {
    this.#storage = storage;
  }

  configure(durability: Durability): void {
    this.#waitsForDisk = durability === "power";
  }

  exec(sql: string): void {
    this.#storage.sql.exec(sql);
  }

  prepare<Row = unknown>(sql: string): Statement<Row> {
    // The storage keeps statements prepared by their text. A cursor does its work as it is read.
    const all = (...values: SQLiteValue[]) => this.#storage.sql.exec(sql, ...values.map(bindable)).toArray() as Row[];
    return { run: all, all, get: (...values) => all(...values)[0] };
  }

  read<T>(work: () => T): T {
    return work();
  }

  write<T>(work: () => T): T {
    return this.#storage.transactionSync(work);
  }

  /**
   * By default, the platform itself delays responses until the writes are safe. With `"power"`, an append resolves
   * only after that, so code inside of the object can rely on it too.
   */
  sync(): Promise<void> | undefined {
    return this.#waitsForDisk ? this.#storage.sync() : undefined;
  }

  /** Never compared: a {@link ChangeWatch} does not start for an exclusive connection. */
  version(): string {
    return "";
  }

  /** The platform manages the files. */
  assertInPlace(): void {}

  close(): void {}
}

/** Bytes are bound as an ArrayBuffer (https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/). */
function bindable(value: SQLiteValue): string | number | null | ArrayBuffer {
  return value instanceof Uint8Array ? (value.slice().buffer as ArrayBuffer) : value;
}
