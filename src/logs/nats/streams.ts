// The two streams of a log: found or created, compared with what the log needs, and identified.
import { unrefTimeout } from "../../base/clock.ts";
import { LogError } from "../../base/errors.ts";
import { makeEpoch } from "../../log/identity.ts";
import { type NatsConnectionLike, unsupportedServer } from "./connection.ts";
import { type HeaderLines, headerLine, SentHeaders } from "./headers.ts";
import { ApiError, errorCodes, type JetStream, type StreamConfig, type StreamInfo } from "./jetstream.ts";
import { hash } from "./message.ts";
import { closedConnection, NoRespondersError, UnavailableError } from "./requests.ts";
import {
  differenceOf,
  entriesConfig,
  limitsKey,
  otherLimits,
  type StreamOptions,
  valuesConfig,
  valuesStream,
} from "./stream-config.ts";
import { Subjects } from "./subjects.ts";

/** One incarnation of the log. */
export interface Incarnation {
  /** The time at which the stream was created, in nanoseconds, in 12 characters: a new stream has another one. */
  readonly epoch: string;
  /** The witness of the position before the first entry. */
  readonly originWitness: number;
  /** Subjects of the entries. */
  readonly subjects: Subjects;
  /** Subjects of the values that outlive their entries. */
  readonly values: Subjects;
}

/** How long the question of a permission may take, in milliseconds. */
const permissionTimeoutMs = 3_000;
/** Attempts to find or create a stream, while others create and delete it. */
const maxRounds = 6;
/** Times the number of attempts: how long to wait before the next one, in milliseconds. */
const roundDelayMs = 20;

/**
 * Opens the streams once, and again when they turn out to be gone.
 *
 * The entries have a stream of their own, because the sequence of its messages is the sequence of the log: any other
 * message in it would be a hole. The values that outlive their entries are in a second one, which keeps one message for
 * each subject.
 *
 * A log on an existing stream never changes what an operator may have chosen, such as replicas or placement, and never
 * deletes a stream of entries.
 */
export class Streams {
  readonly #connection: NatsConnectionLike;
  readonly #jetStream: JetStream;
  readonly #options: StreamOptions;
  /** `null` before the first use, after a failure, and when the stream may be another one. */
  #opening: Promise<Incarnation> | null = null;
  /** They were checked on this connection. */
  #hasPermissions = false;

  constructor(connection: NatsConnectionLike, jetStream: JetStream, options: StreamOptions) {
    this.#connection = connection;
    this.#jetStream = jetStream;
    this.#options = options;
  }

  /** The present incarnation. A failure is not remembered: the next call tries again. */
  current(): Promise<Incarnation> {
    if (this.#opening === null) {
      const opening = this.#open();
      this.#opening = opening;
      opening.catch(() => {
        if (this.#opening === opening) this.#opening = null;
      });
    }
    return this.#opening;
  }

  /** The stream may have been deleted, or another one may be in its place. */
  invalidate(): void {
    this.#opening = null;
  }

  /** Everything is checked before the first write. Permissions are checked once: without one that is taken away later, requests fail. */
  async #open(): Promise<Incarnation> {
    if (this.#connection.isClosed()) throw closedConnection();
    const { info: server } = this.#connection;
    const unsupported = server === undefined ? undefined : unsupportedServer(server);
    if (unsupported !== undefined) throw new LogError(unsupported, false);
    // First of all: without it, the next question would wait for its deadline, and say nothing about the reason.
    await this.#assertPermission(this.#jetStream.subjectOf(`STREAM.INFO.${this.#options.stream}`));
    const info = await this.#entries();
    const incarnation = incarnationOf(info, this.#options.stream);
    await this.#values(incarnation);
    if (!this.#hasPermissions) await this.#assertPermissions(incarnation);
    this.#hasPermissions = true;
    return incarnation;
  }

  /** A stream with another configuration would remove entries that the log counts on, or leave holes. */
  async #entries(): Promise<StreamInfo> {
    const { stream } = this.#options;
    // Only for a stream that is created now. One that exists has its own prefix, which every process reads from it.
    const prefix = `sourcecast.${stream}.${makeEpoch()}`;
    const wanted = entriesConfig(this.#options, prefix);
    const info = await this.#findOrCreate(stream, wanted);
    const difference = differenceOf(info.config, false);
    if (difference !== undefined) throw unusable(stream, difference);
    // Offsets without entries cannot be told from entries that were lost.
    if ((info.state.num_deleted ?? 0) > 0) {
      throw unusable(stream, `${info.state.num_deleted} messages were deleted from the middle of it`);
    }
    return this.#withLimits(info, wanted);
  }

  /** The values belong to one stream of entries, by the random name at the end of their subjects. */
  async #values({ values }: Incarnation): Promise<void> {
    const name = valuesStream(this.#options.stream);
    const wanted = valuesConfig(this.#options, values.prefix);
    for (let round = 0; round < maxRounds; round++) {
      const { config } = await this.#findOrCreate(name, wanted);
      const difference = differenceOf(config, true);
      if (difference !== undefined) throw unusable(name, difference);
      if (config.subjects?.[0] === values.all) return;
      // The values of a stream of entries that is gone.
      await this.#ask(`STREAM.DELETE.${name}`, undefined, errorCodes.streamNotFound);
    }
    throw unusable(name, "another process creates and deletes it");
  }

  /** Several processes may start, or lose the stream, at the same moment. */
  async #findOrCreate(name: string, wanted: StreamConfig): Promise<StreamInfo> {
    for (let round = 0; round < maxRounds; round++) {
      // Looked up first: a user without the permission to create streams can use one that exists.
      const found = await this.#ask<StreamInfo>(`STREAM.INFO.${name}`, undefined, errorCodes.streamNotFound);
      if (found !== undefined) return found;
      // Two processes that start together: one creates it, and the other one finds it.
      const isOthers = [errorCodes.nameInUse, errorCodes.storeNotCreated];
      const created = await this.#ask<StreamInfo>(`STREAM.CREATE.${name}`, wanted, ...isOthers);
      if (created !== undefined) return created;
      // The files of a stream that was just deleted may still be in the way.
      await new Promise<void>((resolve) => unrefTimeout(resolve, roundDelayMs * round));
    }
    throw unusable(name, "the server cannot create it", "look into the server's log, and at the space on its disk");
  }

  /** The limits can change only while no other process removes entries by the old ones. */
  async #withLimits(info: StreamInfo, wanted: StreamConfig): Promise<StreamInfo> {
    // The metadata of the stream has the limits of the processes that use it.
    const others = otherLimits(info, wanted);
    if (others === undefined) return info;
    const { stream } = this.#options;
    // A process with tails has a consumer, which the server removes half a minute after the process is gone.
    if (info.state.consumer_count > 0) {
      throw unusable(
        stream,
        `other processes use it with ${others}, and this one has ${wanted.metadata?.[limitsKey]}`,
        "give all processes the same options, or stop the others first",
      );
    }
    // Metadata of an operator stays.
    const metadata = { ...info.config.metadata, ...wanted.metadata };
    const config = { ...info.config, duplicate_window: wanted.duplicate_window, metadata };
    return this.#jetStream.ask<StreamInfo>(`STREAM.UPDATE.${stream}`, config);
  }

  /** `undefined` when the answer is one of the errors that are expected. */
  async #ask<Answer>(question: string, body: object | undefined, ...expected: number[]): Promise<Answer | undefined> {
    try {
      return await this.#jetStream.ask<Answer>(question, body);
    } catch (error) {
      if (error instanceof ApiError && expected.includes(error.errorCode)) return undefined;
      throw error;
    }
  }

  /**
   * Asks for what the log will need later, so that it does not fail then: each question does nothing. A connection learns of a
   * missing permission only by an error of the server, which the client passes to requests of its own.
   */
  async #assertPermissions({ subjects, values }: Incarnation): Promise<void> {
    const { stream } = this.#options;
    // Another name of a stream than that of the subject: rejected before anything is stored.
    const nothing = headerLine("Nats-Expected-Stream", "-");
    await Promise.all([
      this.#assertPermission(subjects.end(""), "", nothing),
      this.#assertPermission(values.end(""), "", nothing),
      this.#assertPermission(this.#jetStream.subjectOf(`STREAM.MSG.GET.${stream}`), '{"seq":1}'),
      this.#assertPermission(this.#jetStream.subjectOf(`DIRECT.GET.${stream}`), '{"seq":1}'),
      this.#assertPermission(this.#jetStream.subjectOf(`DIRECT.GET.${valuesStream(stream)}`), '{"seq":1}'),
      this.#assertPermission(this.#jetStream.subjectOf(`STREAM.PURGE.${stream}`), '{"seq":1}'),
      this.#assertPermission(this.#jetStream.subjectOf(`CONSUMER.DELETE.${stream}.sourcecast-none`)),
    ]);
  }

  /** The client's own request is used here: it is rejected when the server reports a violation. */
  async #assertPermission(subject: string, payload = "", headers?: HeaderLines): Promise<void> {
    const options = headers === undefined ? {} : { headers: new SentHeaders(headers) };
    try {
      await this.#connection.request(subject, payload, { timeout: permissionTimeoutMs, ...options });
    } catch (error) {
      // By the text, since errors of several versions of the client have different classes.
      const reason = reasonsOf(error);
      if (/permission|authorization/i.test(reason)) {
        throw new LogError(
          `The NATS user has no permission for the subject "${subject}": ${reason}; allow it to publish there and to subscribe to its inbox`,
          false,
          { cause: error },
        );
      }
      if (/no responders|503/i.test(reason)) {
        throw new NoRespondersError(
          "The NATS server answers no question of JetStream; enable it for the server and for this account",
          false,
        );
      }
      throw new UnavailableError(`NATS did not answer on "${subject}": ${reason}`, false, { cause: error });
    }
  }
}

/** Every process computes the same from it. */
function incarnationOf({ created, config }: StreamInfo, stream: string): Incarnation {
  const epoch = epochOf(created);
  const prefix = (config.subjects?.[0] ?? "").slice(0, -2);
  const values = `sourcecast.${valuesStream(stream)}${prefix.slice(prefix.lastIndexOf("."))}`;
  return { epoch, originWitness: hash(epoch), subjects: new Subjects(prefix), values: new Subjects(values) };
}

/** The nanoseconds of a time such as `2026-11-27T03:49:33.281853557Z`, in 12 characters until the year 2120. */
export function epochOf(created: string): string {
  const [seconds = "", fraction = ""] = created.replace(/Z$/, "").split(".");
  const nanoseconds = BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return nanoseconds.toString(36).slice(-12);
}

/** The stream is there and cannot be used: nothing is written to it, and nothing is removed. */
function unusable(
  stream: string,
  found: string,
  remedy = "pass another name as stream, or delete it with `nats stream rm` if nothing needs it",
): LogError {
  return new LogError(`The stream ${JSON.stringify(stream)} cannot be the log: ${found}; ${remedy}`, false);
}

/** The messages of an error and of its causes. */
function reasonsOf(error: unknown): string {
  const reasons: string[] = [];
  for (let cause = error; cause instanceof Error && reasons.length < 4; cause = cause.cause)
    reasons.push(cause.message);
  return reasons.length === 0 ? String(error) : [...new Set(reasons)].join(": ");
}
