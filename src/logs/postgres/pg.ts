// The client `pg`: statements of publishers on the pool, everything else on one connection of the log's own.
import type { TimeLimit } from "../../base/time-limit.ts";
import {
  type Connection,
  limitStatements,
  NoAnswerError,
  NotSentError,
  type Parameter,
  type PgPoolClientLike,
  type PgPoolLike,
  textOf,
} from "./connection.ts";
import { PreparedStatements } from "./prepared.ts";
import type { Statement } from "./statement.ts";

/**
 * The log's own connection waits for notifications, and reads for the tails. Between two statements it does not keep the process
 * alive, as a connection of the pool would, and no transaction of the application can take it.
 */
export class PgConnection implements Connection {
  /** The application's. Its connections are borrowed for one statement each. */
  readonly #pool: PgPoolLike;
  /** Of a connection, and of a statement. */
  readonly #limit: TimeLimit;
  readonly #prepared = new PreparedStatements();
  /** Opened with the first use, and again with the first one after it has ended. */
  #session: Promise<Session | null> | null = null;
  /** One at a time: the watch stops listening before it listens again. */
  #listening: Listening | null = null;
  /** A pool reports the end of an idle connection as an event, and the process ends when that has no listener. */
  readonly #ownsErrors: boolean;

  constructor(pool: PgPoolLike, timeoutMs: number) {
    this.#pool = pool;
    this.#limit = limitStatements(timeoutMs);
    // An application that listens decides on its own what to do.
    this.#ownsErrors = pool.listenerCount("error") === 0;
    if (this.#ownsErrors) pool.on("error", ignore);
  }

  /** On the pool. A connection that has failed is not given back to it. */
  async query(statement: Statement, ...parameters: Parameter[]): Promise<string> {
    const client = await this.#borrow();
    // The statement rejects, too. Without a listener, the end of a connection that is lent would end the process.
    client.on("error", ignore);
    let isBroken = false;
    try {
      return textOf((await this.#limit.limit(this.#prepared.query(client, statement, parameters))).rows);
    } catch (error) {
      // After an answer, the connection is in order. After anything else, its next reply may belong to this statement.
      isBroken = !isAnswer(error);
      throw error;
    } finally {
      // Without a sound connection, the next one may reach the server that has taken over.
      client.release(isBroken);
      client.off("error", ignore);
    }
  }

  /** On the log's own connection, in the order of the calls. */
  async background(statement: Statement, ...parameters: Parameter[]): Promise<string> {
    const session = await this.#open();
    if (session === null) return this.query(statement, ...parameters);
    try {
      return textOf((await session.query(statement, parameters)).rows);
    } catch (error) {
      // The next call opens another connection.
      if (!isAnswer(error)) session.end();
      throw error;
    }
  }

  /** The simple protocol, which takes several statements at a time. */
  async script(text: string): Promise<void> {
    const session = await this.#open();
    if (session === null) await this.query({ text });
    else await session.query({ text });
  }

  /** A connection that is replaced has forgotten its channels: `onLost` says so, and the watch listens again. */
  async listen(channel: string, onNotify: (payload: string) => void, onLost: () => void): Promise<() => void> {
    const session = await this.#open();
    // On a connection of the pool, an application that resets it would end the listening without a trace.
    if (session === null) throw new Error("this pool has no class of clients");
    const listening = { onNotify, onLost };
    this.#listening = listening;
    // A channel is an identifier, which cannot be a parameter.
    await session.query({ text: `LISTEN "${channel.replaceAll('"', '""')}"` });
    return () => {
      if (this.#listening === listening) this.#listening = null;
    };
  }

  /** Leaves the pool as it was. */
  close(): void {
    this.#listening = null;
    this.#limit.close();
    if (this.#ownsErrors) this.#pool.off("error", ignore);
    const session = this.#session;
    this.#session = null;
    void session?.then((opened) => opened?.end()).catch(() => {});
  }

  /** A pool without a free connection may wait forever, and so may a network that swallows packets. */
  async #borrow(): Promise<PgPoolClientLike> {
    const borrowing = this.#pool.connect();
    try {
      return await this.#limit.limit(borrowing);
    } catch (error) {
      // It may be lent later, and would be missing from the pool for good.
      borrowing.then((client) => client.release()).catch(() => {});
      throw new NotSentError(error);
    }
  }

  /** `null` for a pool that does not show the class of its clients. */
  #open(): Promise<Session | null> {
    if (this.#session === null) {
      const opening = this.#connect(() => {
        // An earlier connection may end late, when another one has taken its place.
        if (this.#session !== opening) return;
        this.#session = null;
        this.#listening?.onLost();
      });
      this.#session = opening;
    }
    return this.#session;
  }

  /** @param onEnd Called when the connection has ended, or could not be made. */
  async #connect(onEnd: () => void): Promise<Session | null> {
    const { Client } = this.#pool as { Client?: PgClientClass };
    if (Client === undefined) return null;
    // With the settings of the pool, and of its class: an application may use the native client, or one of its own.
    const client = new Client(this.#pool.options);
    const end = () => {
      onEnd();
      void client.end().catch(() => {});
    };
    // An error outside of a statement, such as a reset: without a listener it would end the process.
    client.on("error", end);
    client.on("end", onEnd);
    // There is one channel on this connection.
    client.on("notification", ({ payload = "" }: { payload?: string } = {}) => this.#listening?.onNotify(payload));
    try {
      await this.#limit.limit(client.connect());
    } catch (error) {
      end();
      throw new NotSentError(error);
    }
    // A log alone does not keep the process alive. Statements under way do, see below.
    client.unref?.();
    return new Session(client, this.#prepared, this.#limit, end);
  }
}

/** A connection on which one statement follows the other. */
class Session {
  /** Closes the connection. */
  readonly end: () => void;
  readonly #client: PgClient;
  readonly #prepared: PreparedStatements;
  readonly #limit: TimeLimit;
  /** The end of the last statement. Never rejects. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: PgClient, prepared: PreparedStatements, limit: TimeLimit, end: () => void) {
    this.#client = client;
    this.#prepared = prepared;
    this.#limit = limit;
    this.end = end;
  }

  /** A queue of its own: that of the client is deprecated since pg 8.16. */
  query(statement: Statement, values?: unknown[]): Promise<{ rows: unknown[] }> {
    const answer = this.#last.then(() => this.#ask(statement, values));
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** The first publish of a script waits for the preparation, and for nothing else: the process must not end before the answer. */
  async #ask(statement: Statement, values?: unknown[]): Promise<{ rows: unknown[] }> {
    this.#client.ref?.();
    try {
      return await this.#limit.limit(this.#prepared.query(this.#client, statement, values));
    } finally {
      this.#client.unref?.();
    }
  }
}

interface Listening {
  readonly onNotify: (payload: string) => void;
  readonly onLost: () => void;
}

/** A client of `pg` outside of a pool. */
interface PgClient extends Pick<PgPoolClientLike, "query"> {
  connect(): Promise<unknown>;
  on(event: "error" | "end", listener: () => void): unknown;
  on(event: "notification", listener: (message: { payload?: string }) => void): unknown;
  end(): Promise<void>;
  ref?(): void;
  unref?(): void;
}

/** The class `Client` of `pg`, which a pool has as a property. */
type PgClientClass = new (options: object) => PgClient;

function ignore(): void {}

/** An error with which the server answered, and after which the connection can be used again. */
function isAnswer(error: unknown): boolean {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  // Of a server that has become a replica, nothing can be expected any more.
  return !(error instanceof NoAnswerError) && typeof code === "string" && severity === "ERROR" && code !== "25006";
}
