import type { SQLiteValue, SqlConnection, Statement } from "./connection.ts";
import type { Durability } from "./schema.ts";

/** The storage of a Durable Object that is kept in SQLite: `ctx.storage`. */
export interface DurableObjectStorageLike {
  readonly sql: { exec(sql: string, ...values: SQLiteValue[]): { toArray(): unknown[] } };
  transactionSync<T>(work: () => T): T;
  sync(): Promise<void>;
}

/** The database of a Durable Object. The object is alone with it, so what is read is of one state without a transaction. */
export class StorageConnection implements SqlConnection {
  readonly name = "the storage of the Durable Object";
  readonly isExclusive = true;
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
    const all = (...values: SQLiteValue[]) => this.#storage.sql.exec(sql, ...values).toArray() as Row[];
    return { run: all, all, get: (...values) => all(...values)[0] };
  }

  read<T>(work: () => T): T {
    return work();
  }

  write<T>(work: () => T): T {
    return this.#storage.transactionSync(work);
  }

  sync(): Promise<void> | undefined {
    return this.#waitsForDisk ? this.#storage.sync() : undefined;
  }

  version(): number {
    return 1;
  }

  close(): void {}
}
