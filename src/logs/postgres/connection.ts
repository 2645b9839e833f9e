// The one interface through which the log uses a database, and the clients that it accepts, typed by structure.
import { TimeLimit } from "../../base/time-limit.ts";
import type { Statement } from "./statement.ts";

/** The pool of `pg`. */
export interface PgPoolLike {
  /** Lends a client. Waits while all of them are lent. */
  connect(): Promise<PgPoolClientLike>;
  /** Only to recognize a pool. */
  readonly totalCount: number;
  /** The settings of its clients, with which the log opens one of its own. */
  readonly options: object;
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
  /** Whether the application listens to errors of idle clients itself. */
  listenerCount(event: "error"): number;
}

/** A client that a pool of `pg` lends. */
export interface PgPoolClientLike {
  /** One statement, with parameters as text. With a name, the client prepares it once. */
  query(statement: {
    readonly text: string;
    readonly name?: string | undefined;
    readonly values?: unknown[] | undefined;
  }): Promise<{ rows: unknown[] }>;
  /** Gives the client back, or ends its connection. */
  release(destroy?: boolean): void;
  /** Errors of a connection that no statement reports. */
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
}

/** A statement, as `pg` takes it. @internal */
export type PgStatement = Parameters<PgPoolClientLike["query"]>[0];

/** The `sql` of `postgres.js`. */
export interface PostgresJsLike {
  /** Runs a statement that is not a template of this library. */
  unsafe(query: string, parameters?: never[], options?: { prepare?: boolean }): PromiseLike<readonly unknown[]>;
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen: () => void,
  ): Promise<{ unlisten(): Promise<unknown> }>;
  /** Only to recognize the `sql`. */
  begin(...args: never[]): unknown;
}

/** Bun's `sql`, or an instance of its `SQL`. */
export interface BunSqlLike {
  unsafe(query: string, parameters?: never[]): PromiseLike<unknown>;
  /** Only to recognize the `sql`, as `begin`. */
  reserve(...args: never[]): unknown;
  begin(...args: never[]): unknown;
}

/** A PGlite database. */
export interface PGliteLike {
  query(query: string, parameters?: unknown[]): Promise<{ rows: unknown[] }>;
  /** Runs several statements. */
  exec(query: string): Promise<unknown>;
  /** Only to recognize a database. */
  transaction(...args: never[]): unknown;
  listen(channel: string, onNotify: (payload: string) => void): Promise<() => Promise<unknown>>;
}

/** The clients that {@link postgresLog} accepts. */
export type PostgresLike = PgPoolLike | PostgresJsLike | BunSqlLike | PGliteLike;

/** A database, as the log uses it. */
export interface Connection {
  /**
   * Runs one statement, as a transaction of its own. Resolves with the text in the first column of the first row.
   *
   * @throws {NotSentError} when the statement cannot have been executed.
   */
  query(statement: Statement, ...parameters: Parameter[]): Promise<string>;
  /** The same for work in the background. It keeps the process alive only until the answer, where the client allows that. */
  background(statement: Statement, ...parameters: Parameter[]): Promise<string>;
  /** Runs several statements without parameters. */
  script(sql: string): Promise<void>;
  /**
   * Listens to a channel, until the returned function is called. `onNotify` is called with the payload of each notification,
   * `onLost` when the connection was lost. Rejects where the client cannot listen.
   */
  listen(channel: string, onNotify: (payload: string) => void, onLost: () => void): Promise<() => void>;
  /** Closes what was opened here. */
  close(): void;
}

/** A parameter of a statement, as text. `null` is that of SQL: an entry without a sender. */
export type Parameter = string | null;

/** The statement did not reach the server: no connection could be made. */
export class NotSentError extends Error {
  /** @param cause The failure of the client. */
  constructor(cause: unknown) {
    super(
      cause instanceof Error && cause.message !== ""
        ? cause.message
        : String((cause as { code?: unknown })?.code ?? cause),
      {
        cause,
      },
    );
  }
}

/** The server did not answer in time. The statement may have been executed, or may be later. */
export class NoAnswerError extends Error {
  /** @param timeoutMs How long the log waited. */
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
  }
}

/** Limits the time of the statements of a connection. */
export function limitStatements(timeoutMs: number): TimeLimit {
  return new TimeLimit({ timeoutMs, makeError: (after) => new NoAnswerError(after) });
}

/** The text in the first column of the first row. Clients name columns as they like, so it is not found by its name. */
export function textOf(rows: readonly unknown[]): string {
  const row = (rows[0] ?? {}) as Record<string, unknown>;
  for (const name in row) {
    const value = row[name];
    return typeof value === "string" ? value : "";
  }
  return "";
}
