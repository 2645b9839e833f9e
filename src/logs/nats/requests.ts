// Requests over one inbox: many at a time, each with a deadline, and all of them given up when the connection is lost.
import { now, unrefTimeout } from "../../base/clock.ts";
import { LogError } from "../../base/errors.ts";
import { makeEpoch } from "../../log/identity.ts";
import type {
  NatsConnectionLike,
  NatsMessageLike,
  NatsPublishOptionsLike,
  NatsSubscriptionLike,
} from "./connection.ts";
import { type HeaderLines, SentHeaders } from "./headers.ts";

/** Time after which a request is given up. */
const requestTimeoutMs = 5_000;
/** How often the deadlines are checked. */
const checkMs = 250;

/** The store did not answer, or could not be asked. The same may work in a moment. */
export class UnavailableError extends LogError {}

/** Called with each answer; returns true with the last one. */
type OnAnswer = (message: NatsMessageLike) => boolean;

/** A request that has not been answered. */
interface Pending {
  readonly onAnswer: OnAnswer;
  readonly reject: (error: unknown) => void;
  /** In the time of `now()`. */
  readonly deadline: number;
}

/**
 * The client has requests of its own, which arm a timer for each, and learn nothing of a lost connection before their
 * deadline. Appends that wait five seconds for an answer that cannot come are five seconds late.
 */
export class Requests {
  readonly #connection: NatsConnectionLike;
  readonly #inbox: string;
  /** By the last token of their inbox, in the order in which they were sent. */
  readonly #pending = new Map<string, Pending>();
  /** Made with the first request: a log that is not used yet costs the server nothing. */
  #subscription: NatsSubscriptionLike | null = null;
  /** Does not keep the process alive. */
  #timer: ReturnType<typeof setTimeout> | null = null;
  #count = 0;
  /** How many requests were sent: what an operation costs. */
  sent = 0;

  constructor(connection: NatsConnectionLike) {
    this.#connection = connection;
    // Two random parts: an inbox that could be guessed would let others answer.
    this.#inbox = `${inboxPrefixOf(connection)}.${makeEpoch()}${makeEpoch()}`;
  }

  /** An inbox of this log, for a subscription of its own. */
  inbox(name: string): string {
    return `${this.#inbox}${name}`;
  }

  /** Resolves with the first answer. */
  ask(subject: string, payload: Uint8Array | string, headers?: HeaderLines): Promise<NatsMessageLike> {
    return new Promise((resolve, reject) => {
      const onAnswer = (message: NatsMessageLike) => {
        // The server itself answers that nothing listens: an empty message with this status.
        if (message.headers?.code === 503 && message.data.length === 0) reject(noResponders(subject));
        else resolve(message);
        return true;
      };
      this.#send(subject, payload, headers, onAnswer, reject);
    });
  }

  /** Resolves when `onAnswer` has returned true. */
  askMany(subject: string, payload: string, onAnswer: OnAnswer): Promise<void> {
    return new Promise((resolve, reject) => {
      const answered = (message: NatsMessageLike) => {
        if (message.headers?.code === 503 && message.data.length === 0) {
          reject(noResponders(subject));
          return true;
        }
        const isLast = onAnswer(message);
        if (isLast) resolve();
        return isLast;
      };
      this.#send(subject, payload, undefined, answered, reject);
    });
  }

  /** Sends a message that nothing answers. */
  publish(subject: string, payload: Uint8Array, headers: HeaderLines): void {
    this.#assertConnected();
    this.#hand(subject, payload, { headers: new SentHeaders(headers) });
  }

  /** Gives up every request: their answers went to a connection that is lost. */
  fail(reason: string): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    // The server may have stored what was sent. The queue asks again, and the server recognizes it.
    for (const { reject } of pending) reject(new UnavailableError(reason, "unknown"));
  }

  /** The connection stays open: it is the application's. */
  close(): void {
    this.fail("The log was closed");
    this.#subscription?.unsubscribe();
    this.#subscription = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Fails at once, with nothing sent, while the connection is down. */
  #send(
    subject: string,
    payload: Uint8Array | string,
    headers: HeaderLines | undefined,
    onAnswer: OnAnswer,
    reject: (error: unknown) => void,
  ): void {
    const token = (++this.#count).toString(36);
    try {
      this.#assertConnected();
      this.#subscription ??= this.#subscribe();
      this.#pending.set(token, { onAnswer, reject, deadline: now() + requestTimeoutMs });
      const reply = `${this.#inbox}.${token}`;
      const options = headers === undefined ? { reply } : { reply, headers: new SentHeaders(headers) };
      this.#hand(subject, payload, options);
      this.sent++;
      this.#schedule();
    } catch (error) {
      this.#pending.delete(token);
      reject(error);
    }
  }

  /** One subscription for the answers to all requests; the last token of the subject tells which one is answered. */
  #subscribe(): NatsSubscriptionLike {
    return this.#connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) {
          // The server has ended it: the user may not receive answers any longer. The next request subscribes again.
          this.#subscription = null;
          this.fail(`NATS refuses the answers: ${messageOf(error)}`);
          return;
        }
        const token = message.subject.slice(this.#inbox.length + 1);
        const pending = this.#pending.get(token);
        // It was given up, or the answer comes for the second time.
        if (pending === undefined) return;
        try {
          if (!pending.onAnswer(message)) return;
        } catch (failure) {
          pending.reject(failure);
        }
        this.#pending.delete(token);
      },
    });
  }

  #assertConnected(): void {
    if (this.#connection.isClosed()) throw closedConnection();
    // Without it, the client buffers what is sent until it has reconnected, and nothing is known until then.
    if (this.#isDown) throw new UnavailableError("The connection to NATS is lost, and not yet back", false);
  }

  #isDown = false;

  /** Whether the client is disconnected: until it is back, requests fail at once, with nothing stored. */
  set isDown(isDown: boolean) {
    this.#isDown = isDown;
    if (isDown) this.fail("The connection to NATS was lost before an answer came");
  }

  /** The client throws for messages that are too large, and once it is closed. */
  #hand(subject: string, payload: Uint8Array | string, options: NatsPublishOptionsLike): void {
    try {
      this.#connection.publish(subject, payload, options);
    } catch (error) {
      throw new UnavailableError(`The NATS client did not send the message: ${messageOf(error)}`, false, {
        cause: error,
      });
    }
  }

  /** One timer for all requests, and none while there is nothing to wait for. */
  #schedule(): void {
    if (this.#timer !== null) return;
    this.#timer = unrefTimeout(() => {
      this.#timer = null;
      const time = now();
      // Oldest first, and all with the same time: the first that is not due ends the search.
      for (const [token, { deadline, reject }] of this.#pending) {
        if (deadline > time) break;
        this.#pending.delete(token);
        reject(new UnavailableError(`NATS did not answer within ${requestTimeoutMs} ms`, "unknown"));
      }
      if (this.#pending.size > 0) this.#schedule();
    }, checkMs);
  }
}

/** The client of a closed connection does not reconnect. */
export function closedConnection(): LogError {
  return new LogError(
    "The NATS connection is closed; keep it open, and connect with maxReconnectAttempts: -1 so that the client never gives up",
    false,
  );
}

/** For errors that say something to people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The server routes nothing to the subject, so nothing was stored. */
function noResponders(subject: string): NoRespondersError {
  return new NoRespondersError(`Nothing on the NATS server answers ${subject}`, false);
}

/** Nothing listens there: JetStream is off, or the stream has gone. */
export class NoRespondersError extends UnavailableError {}

/** Users whose permissions name an inbox connect with an `inboxPrefix`, and may subscribe to nothing else. */
function inboxPrefixOf(connection: NatsConnectionLike): string {
  const { options } = connection as { options?: { inboxPrefix?: unknown } };
  return typeof options?.inboxPrefix === "string" ? options.inboxPrefix : "_INBOX";
}
