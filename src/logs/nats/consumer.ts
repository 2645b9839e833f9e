// One consumer of a stream: whether each message is the next one, and what the server says in between.
import { now } from "../../base/clock.ts";
import type { NatsConnectionLike, NatsMessageLike, NatsSubscriptionLike } from "./connection.ts";
import { type StoredMessage, toStored } from "./message.ts";
import type { Incarnation } from "./streams.ts";

/** Called by a consumer. */
export interface ConsumerHandlers {
  onMessage(message: StoredMessage): void;
  /** Messages are missing, or the consumer is gone. */
  onLost(): void;
}

/** One consumer: the order of its messages is that of the stream, and each has the next number. */
export class Consumer {
  readonly name: string;
  readonly incarnation: Incarnation;
  subscription: NatsSubscriptionLike | null = null;
  /** When the last message or heartbeat arrived. */
  heardAt: number = now();
  readonly #handlers: ConsumerHandlers;
  /** The number of the last message: the server counts those of each consumer from 1. */
  #delivered = 0;

  constructor(name: string, incarnation: Incarnation, handlers: ConsumerHandlers) {
    this.name = name;
    this.incarnation = incarnation;
    this.#handlers = handlers;
  }

  /** Messages with a status are the server's own. */
  handle(message: NatsMessageLike, connection: NatsConnectionLike): void {
    this.heardAt = now();
    const code = message.headers?.code ?? 0;
    if (code === 0) this.#receive(message);
    else if (code === 100) this.#answer(message, connection);
    // 409: deleted, or its leader has changed.
    else this.#handlers.onLost();
  }

  /** A number that does not follow shows that a message was lost, such as by a client that dropped it. */
  #receive(message: NatsMessageLike): void {
    const place = placeOf(message.reply ?? "");
    if (place?.delivery !== this.#delivered + 1) {
      this.#handlers.onLost();
      return;
    }
    this.#delivered++;
    const { subject, headers, data } = message;
    const { sequence, time } = place;
    this.#handlers.onMessage(toStored({ subject, sequence, time, headers, data }, this.incarnation.subjects));
  }

  /** A heartbeat says how much was delivered; a request of flow control waits until this process has reached it. */
  #answer({ headers, reply }: NatsMessageLike, connection: NatsConnectionLike): void {
    const stalled = headers?.get("Nats-Consumer-Stalled") ?? "";
    const flow = stalled === "" ? reply : stalled;
    // The answer says that everything before was handled. Until then, the server waits.
    if (flow !== undefined && flow !== "") connection.publish(flow);
    const delivered = headers?.get("Nats-Last-Consumer") ?? "";
    if (delivered !== "" && Number(delivered) !== this.#delivered) this.#handlers.onLost();
  }
}

/** The place of a message in the stream and among those of the consumer: `$JS.ACK.<stream>.<consumer>.…`. */
function placeOf(reply: string): { sequence: number; delivery: number; time: number } | undefined {
  const tokens = reply.split(".");
  // Since nats-server 2.10 there may be a domain and an account before the stream.
  const first = tokens.length > 9 ? 7 : 5;
  const time = tokens[first + 2];
  if (tokens[0] !== "$JS" || time === undefined) return undefined;
  const [sequence, delivery] = [tokens[first], tokens[first + 1]];
  return { sequence: Number(sequence), delivery: Number(delivery), time: Math.floor(Number(time) / 1_000_000) };
}
