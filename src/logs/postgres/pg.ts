// The client `pg`: statements of publishers on the pool, everything else on one connection of the log's own.
import {
  type Connection,
  NoAnswerError,
  NotSentError,
  type PgPoolClientLike,
  type PgPoolLike,
  textOf,
} from "./connection.ts";
import { limited } from "./timeout.ts";

/**
 * The log's own connection waits for notifications, and reads for the tails. Between two statements it does not keep the process
 * alive, as a connection of the pool would, and no transaction of the application can take it.
 */
export class PgConnection implements Connection {
  readonly #pool: PgPoolLike;
  readonly #timeoutMs: number;
  #session: Promise<Session | null> | null = null;
  #listening: Listening | null = null;
  /** A pool reports the end of an idle connection as an event, and the process ends when that has no listener. */
  readonly #ownsErrors: boolean;

  constructor(pool: PgPoolLike, timeoutMs: number) {
    this.#pool = pool;
    this.#timeoutMs = timeoutMs;
    this.#ownsErrors = pool.listenerCount("error") === 0;
    if (this.#ownsErrors) pool.on("error", ignore);
  }

  /** On the pool. A connection that has failed is not given back to it. */
  async query(sql: string, ...parameters: string[]): Promise<string> {
    const client = await this.#borrow();
    // The statement rejects, too. Without a listener, the end of a connection that is lent would end the process.
    client.on("error", ignore);
    let isBroken = false;
    try {
      return textOf((await limited(client.query(sql, parameters), this.#timeoutMs)).rows);
    } catch (error) {
      isBroken = !isAnswer(error);
      throw error;
    } finally {
      // Without a sound connection, the next one may reach the server that has taken over.
      client.release(isBroken);
      client.off("error", ignore);
    }
  }

  /** On the log's own connection, in the order of the calls. */
  async background(sql: string, ...parameters: string[]): Promise<string> {
    const session = await this.#open();
    if (session === null) return this.query(sql, ...parameters);
    try {
      return textOf((await session.query(sql, parameters)).rows);
    } catch (error) {
      if (!isAnswer(error)) session.end();
      throw error;
    }
  }

  /** The simple protocol, which takes several statements at a time. */
  async script(sql: string): Promise<void> {
    const session = await this.#open();
    if (session === null) await this.query(sql);
    else await session.query(sql);
  }

  /** A connection that is replaced has forgotten its channels: `onLost` says so, and the watch listens again. */
  async listen(channel: string, onNotify: () => void, onLost: () => void): Promise<() => void> {
    const session = await this.#open();
    if (session === null) throw new Error("this pool has no class of clients");
    const listening = { onNotify, onLost };
    this.#listening = listening;
    await session.query(`LISTEN "${channel.replaceAll('"', '""')}"`);
    return () => {
      if (this.#listening === listening) this.#listening = null;
    };
  }

  /** Leaves the pool as it was. */
  close(): void {
    this.#listening = null;
    if (this.#ownsErrors) this.#pool.off("error", ignore);
    const session = this.#session;
    this.#session = null;
    void session?.then((opened) => opened?.end()).catch(() => {});
  }

  /** A pool without a free connection may wait forever, and so may a network that swallows packets. */
  async #borrow(): Promise<PgPoolClientLike> {
    const borrowing = this.#pool.connect();
    try {
      return await limited(borrowing, this.#timeoutMs);
    } catch (error) {
      borrowing.then((client) => client.release()).catch(() => {});
      throw new NotSentError(error);
    }
  }

  /** `null` for a pool that does not show the class of its clients. */
  #open(): Promise<Session | null> {
    if (this.#session === null) {
      const opening = this.#connect(() => {
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
    const client = new Client(this.#pool.options);
    const end = () => {
      onEnd();
      void client.end().catch(() => {});
    };
    client.on("error", end);
    client.on("end", onEnd);
    client.on("notification", () => this.#listening?.onNotify());
    try {
      await limited(client.connect(), this.#timeoutMs);
    } catch (error) {
      end();
      throw new NotSentError(error);
    }
    client.unref?.();
    return new Session(client, this.#timeoutMs, end);
  }
}

/** A connection on which one statement follows the other. */
class Session {
  /** Closes the connection. */
  readonly end: () => void;
  readonly #client: PgClient;
  readonly #timeoutMs: number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: PgClient, timeoutMs: number, end: () => void) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
    this.end = end;
  }

  /** A queue of its own: that of the client is deprecated since pg 8.16. */
  query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }> {
    const answer = this.#last.then(() => this.#ask(sql, values));
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** The first publish of a script waits for the preparation, and for nothing else: the process must not end before the answer. */
  async #ask(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }> {
    this.#client.ref?.();
    try {
      return await limited(this.#client.query(sql, values), this.#timeoutMs);
    } finally {
      this.#client.unref?.();
    }
  }
}

interface Listening {
  readonly onNotify: () => void;
  readonly onLost: () => void;
}

/** A client of `pg` outside of a pool. */
interface PgClient extends Pick<PgPoolClientLike, "query"> {
  connect(): Promise<unknown>;
  on(event: "error" | "end" | "notification", listener: () => void): unknown;
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
