// The clients that the log accepts: how each is recognized, and how it runs a statement.
import { quote, SourcecastTypeError } from "../../base/errors.ts";
import type { TimeLimit } from "../../base/time-limit.ts";
import {
  type BunSqlLike,
  type Connection,
  limitStatements,
  NotSentError,
  type Parameter,
  type PGliteLike,
  type PgPoolLike,
  type PostgresJsLike,
  type PostgresLike,
  textOf,
} from "./connection.ts";
import { PgConnection } from "./pg.ts";
import type { Statement } from "./statement.ts";

/**
 * Recognizes a client by its methods.
 *
 * @param timeoutMs How long a statement may take, in milliseconds.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for anything else, with the client that was found.
 */
export function connect(pool: PostgresLike, timeoutMs: number): Connection {
  const found = (pool ?? {}) as unknown as Partial<Record<string, unknown>>;
  const has = (...names: readonly string[]) => names.every((name) => typeof found[name] === "function");
  // `totalCount` distinguishes a pool from a single client, which has the same methods.
  if (typeof pool === "object" && has("connect", "query", "on") && "totalCount" in found) {
    return new PgConnection(pool as PgPoolLike, timeoutMs);
  }
  if (typeof pool === "object" && has("query", "exec", "transaction", "listen")) {
    return new PGliteConnection(pool as PGliteLike, timeoutMs);
  }
  if (typeof pool === "function" && has("unsafe", "begin")) {
    return new SqlConnection(pool as PostgresJsLike | BunSqlLike, timeoutMs);
  }
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option pool is ${describe(pool, has)}; pass a Pool of pg, the sql of postgres.js or of Bun, or a PGlite database`,
  );
}

/** Names what was passed by mistake, where that can be told. */
function describe(pool: unknown, has: (...names: readonly string[]) => boolean): string {
  // The most likely mistakes, recognized by the methods that only these objects have.
  if (has("savepoint")) return "the sql of a transaction, which ends before the log does";
  if (has("connect", "query", "end")) return "a single client of pg, in whose transactions the log would take part";
  if (has("duplicate")) return "a client of Redis";
  if (has("prepare")) return "a database of SQLite";
  return quote(pool);
}

/** `postgres.js` and Bun's `sql`, which differ in that Bun cannot listen. */
class SqlConnection implements Connection {
  /** The application's, with a pool of its own. */
  readonly #sql: PostgresJsLike | BunSqlLike;
  readonly #limit: TimeLimit;

  constructor(sql: PostgresJsLike | BunSqlLike, timeoutMs: number) {
    this.#sql = sql;
    this.#limit = limitStatements(timeoutMs);
  }

  /** `postgres.js` prepares it, unless the application has turned that off for all statements. Bun prepares by default. */
  async query({ text, name }: Statement, ...parameters: Parameter[]): Promise<string> {
    const sql = this.#sql as PostgresJsLike;
    const prepare = name !== undefined;
    try {
      return textOf(await this.#limit.limit(sql.unsafe(text, parameters as never[], { prepare })));
    } catch (error) {
      throw isBeforeSending(error) ? new NotSentError(error) : error;
    }
  }

  /** On the same pool: the library has no connection that would let the process end. */
  background(statement: Statement, ...parameters: Parameter[]): Promise<string> {
    return this.query(statement, ...parameters);
  }

  async script(text: string): Promise<void> {
    const query = this.#sql.unsafe(text) as PromiseLike<unknown> & { simple?: () => PromiseLike<unknown> };
    // `postgres.js` sends several statements only by the simple protocol. Bun chooses it without parameters.
    await (query.simple?.() ?? query);
  }

  /** The client opens a connection for it, which it shares among all listeners of one `sql`. Older versions of Bun cannot listen. */
  async listen(channel: string, onNotify: (payload: string) => void): Promise<() => void> {
    if (!("listen" in this.#sql)) throw new Error("this client cannot listen");
    // It connects again on its own, and calls the third function then: there may have been notifications in between.
    const listening = await this.#sql.listen(channel, onNotify, () => onNotify(""));
    // Called on the object: Bun's has a method, which needs it.
    return () => void listening.unlisten().catch(() => {});
  }

  /** The client belongs to the application. */
  close(): void {
    this.#limit.close();
  }
}

/** Codes of failures to connect, of Node, `postgres.js` and Bun. */
const connectCodes =
  /^(ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|CONNECT_TIMEOUT|ERR_POSTGRES_CONNECTION_TIMEOUT)$/;

/** Before it executes statements, a server rejects the connection: the password, the database, too many clients, a restart. */
function isBeforeSending(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" && (connectCodes.test(code) || /^(28|3D|53300|57P03)/.test(code));
}

/** PGlite runs in this process: a statement that fails was not executed. */
class PGliteConnection implements Connection {
  readonly #database: PGliteLike;
  readonly #limit: TimeLimit;

  constructor(database: PGliteLike, timeoutMs: number) {
    this.#database = database;
    this.#limit = limitStatements(timeoutMs);
  }

  async query({ text }: Statement, ...parameters: Parameter[]): Promise<string> {
    // A statement of the application may hold the only connection, in a transaction.
    const { rows } = await this.#limit.limit(this.#database.query(text, parameters));
    return textOf(rows);
  }

  /** There is one connection, which PGlite shares among its callers. */
  background(statement: Statement, ...parameters: Parameter[]): Promise<string> {
    return this.query(statement, ...parameters);
  }

  async script(text: string): Promise<void> {
    await this.#database.exec(text);
  }

  async listen(channel: string, onNotify: (payload: string) => void): Promise<() => void> {
    // PGlite takes the name as it is written in SQL.
    const unlisten = await this.#database.listen(`"${channel.replaceAll('"', '""')}"`, onNotify);
    return () => void unlisten().catch(() => {});
  }

  close(): void {
    this.#limit.close();
  }
}

/** Runs a statement within a transaction of the application, and resolves with the text in its first column. */
export type TransactionQuery = (text: string, ...parameters: string[]) => Promise<string>;

/**
 * The transaction that an application passed: a client of `pg` on which it has begun one, the `sql` that `begin()` of
 * `postgres.js` or Bun passes to its callback, or that of PGlite's `transaction()`.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for anything else, such as the pool itself, and for a client without a
 * transaction: nothing could roll the event back.
 */
export async function enlist(transaction: unknown): Promise<TransactionQuery> {
  const found = (transaction ?? {}) as Partial<Record<string, unknown>>;
  const has = (name: string) => typeof found[name] === "function";
  if ("totalCount" in found || has("transaction") || (has("begin") && !has("savepoint"))) {
    // On a pool, each statement might run on another connection.
    throw transactionError("a pool or a database");
  }
  if (has("unsafe")) {
    // Only the `sql` of a transaction has savepoints, in both libraries.
    if (!has("savepoint")) throw transactionError("a reserved connection");
    const sql = transaction as PostgresJsLike;
    return async (text, ...parameters) => textOf(await sql.unsafe(text, parameters as never[]));
  }
  if (!has("query")) throw transactionError(quote(transaction));
  const client = transaction as PgTransactionLike;
  // That of PGlite exists only within its callback.
  if (!has("rollback")) await assertBegun(client);
  return async (text, ...parameters) => textOf((await client.query(text, parameters)).rows);
}

/** A client of `pg`. It knows the state of its transaction since pg 8.17. */
interface PgTransactionLike {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  getTransactionStatus?(): string | null;
}

/** A statement on a client without a transaction would be published even if the application fails afterwards. */
async function assertBegun(client: PgTransactionLike): Promise<void> {
  if (client.getTransactionStatus !== undefined) {
    // "I" for idle. A transaction that has failed is reported by its next statement.
    if (client.getTransactionStatus() === "I") throw transactionError("a client without an open transaction");
    return;
  }
  try {
    // The server rejects a savepoint outside of a transaction.
    await client.query("SAVEPOINT sourcecast");
    await client.query("RELEASE SAVEPOINT sourcecast");
  } catch (error) {
    throw (error as { code?: unknown }).code === "25P01"
      ? transactionError("a client without an open transaction")
      : error;
  }
}

function transactionError(found: string): SourcecastTypeError {
  return new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option transaction is ${found}, and nothing was published; pass the client on which the transaction was begun: of pg, ` +
      "one that pool.connect() returned; of other clients, the one that the callback of begin() or transaction() gets",
  );
}
