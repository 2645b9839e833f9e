import type { Durability } from "./schema.ts";

/** One open database, whatever holds it: statements, transactions, and what it is called in messages. */
export interface SqlConnection {
  /** `the file "events.db"`, `the database`. */
  readonly name: string;
  /**
   * Nobody else can write to it, and whoever reads comes through this log. Nothing is looked for while nobody asks: in a
   * Durable Object a timer would keep the object from being evicted.
   */
  readonly isExclusive: boolean;
  /** Sets it up for what is to survive. */
  configure(durability: Durability): void;
  exec(sql: string): void;
  prepare<Row = unknown>(sql: string): Statement<Row>;
  /** Reads from one state of the database, whatever others do meanwhile. */
  read<T>(work: () => T): T;
  /** Writes all or nothing. */
  write<T>(work: () => T): T;
  /** Resolves when what was written survives what it has to; `undefined` where it does already. */
  sync(): Promise<void> | undefined;
  /** Another number whenever another connection has changed the database. */
  version(): number;
  close(): void;
}

/** A prepared statement whose rows are known. Drivers say `undefined` or `null` where there is no row. */
export interface Statement<Row = unknown> {
  run(...values: SQLiteValue[]): unknown;
  get(...values: SQLiteValue[]): Row | undefined | null;
  all(...values: SQLiteValue[]): Row[];
}

export type SQLiteValue = string | number | null;
