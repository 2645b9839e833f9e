// The requests of JetStream that the log makes, and their answers.
import { LogError } from "../../base/errors.ts";
import type { NatsMessageLike } from "./connection.ts";
import { bytesOf, type HeaderLines, headerLine, parseHeaders } from "./headers.ts";
import { headersOf, type RawMessage, type SentMessage } from "./message.ts";
import { messageOf, type Requests } from "./requests.ts";

/** The answer of JetStream to a request that it rejects. */
export class ApiError extends Error {
  /** Identifies the reason. */
  readonly errorCode: number;
  /** As in HTTP. */
  readonly status: number;

  constructor({ code, err_code = 0, description = "" }: ApiErrorBody) {
    super(description);
    this.status = code;
    this.errorCode = err_code;
  }
}

/** The error within an answer. */
interface ApiErrorBody {
  readonly code: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** The codes of errors that mean something to the log. */
export const errorCodes = {
  /** The stream was deleted, or is not created yet. */
  streamNotFound: 10_059,
  /** Another process has created it, perhaps with another configuration. */
  nameInUse: 10_058,
  /** The folder of a stream that was deleted a moment ago is still there. */
  storeNotCreated: 10_049,
  /** Another stream stores the messages of these subjects. */
  subjectsOverlap: 10_065,
  messageNotFound: 10_037,
  /** JetStream is off, for the server or for this account. */
  notEnabled: 10_076,
  notEnabledForAccount: 10_039,
  /** The condition of a message does not hold: another one was stored on its subject. */
  wrongLastSequence: 10_071,
  /** The same, for a message that is being stored. */
  wrongLastSequenceInFlight: 10_164,
  /** A message of the batch was stored before. Nothing of the batch is stored. */
  duplicateInBatch: 10_201,
  /** The same message is being stored at this moment. */
  duplicateInFlight: 10_158,
  /** The server is starting, or too many batches are open. */
  temporarilyUnavailable: 10_008,
  /** The servers of the stream are electing a leader. */
  notLeader: 10_009,
  clusterUnavailable: 10_010,
} as const;

/** A stream as the server describes it. */
export interface StreamInfo {
  /** As it was created, and changed since. */
  readonly config: StreamConfig;
  /** With nanoseconds. */
  readonly created: string;
  /** The server's time. */
  readonly ts: string;
  readonly state: StreamState;
}

/** Of the configuration, everything is read and passed on. */
export type StreamConfig = Readonly<Record<string, unknown>> & {
  readonly name: string;
  readonly subjects?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly duplicate_window?: number;
};

/** The state of a stream. Times have nanoseconds. */
export interface StreamState {
  readonly messages: number;
  readonly bytes: number;
  /** The sequence of the oldest message; one past the last one if the stream is empty. */
  readonly first_seq: number;
  readonly first_ts: string;
  readonly last_seq: number;
  readonly last_ts: string;
  /** Messages that are missing between the first and the last one. A log has none. */
  readonly num_deleted?: number;
  readonly deleted?: readonly number[];
  /** Each process with tails has one. */
  readonly consumer_count: number;
}

/** Where a message was stored. */
export interface Acknowledgement {
  readonly seq: number;
  /** A message with the same id was stored before, at this sequence. */
  readonly duplicate?: boolean;
}

/** A message by its sequence, the first one from a sequence on with a subject, or the last one with a subject. */
export type MessageQuestion =
  | { readonly seq: number; readonly next_by_subj?: string }
  | { readonly last_by_subj: string };

/** The question of a direct get for several messages. */
export type DirectQuestion =
  | { readonly seq: number; readonly next_by_subj?: string; readonly batch: number; readonly max_bytes?: number }
  | { readonly start_time: string; readonly next_by_subj?: string; readonly batch: number }
  | {
      readonly multi_last: readonly string[];
      readonly seq?: number;
      readonly up_to_seq?: number;
      readonly batch?: number;
      readonly max_bytes?: number;
    };

/** Answers are JSON. */
const decoder = new TextDecoder();

/**
 * Speaks JetStream over the connection itself. The package `@nats-io/jetstream` would do the same, but applications
 * would have to pass it, in a matching version. The protocol does not change.
 */
export class JetStream {
  readonly #requests: Requests;
  readonly #prefix: string;

  /** @param domain The domain of JetStream, `undefined` for that of the server. */
  constructor(requests: Requests, domain: string | undefined) {
    this.#requests = requests;
    this.#prefix = domain === undefined ? "$JS.API" : `$JS.${domain}.API`;
  }

  /** The subject of a question, as permissions name it. */
  subjectOf(question: string): string {
    return `${this.#prefix}.${question}`;
  }

  /** Asks a question that is answered in JSON. */
  async ask<Answer>(question: string, body?: object): Promise<Answer> {
    const payload = body === undefined ? "" : JSON.stringify(body);
    const message = await this.#requests.ask(this.subjectOf(question), payload);
    return resultOf<Answer>(message);
  }

  /** The answer is that of the stream's leader. */
  info(stream: string): Promise<StreamInfo> {
    return this.ask(`STREAM.INFO.${stream}`);
  }

  /** With the sequences of messages that are missing within the stream. */
  infoWithDeleted(stream: string): Promise<StreamInfo> {
    return this.ask(`STREAM.INFO.${stream}`, { deleted_details: true });
  }

  /** One message, from the stream's leader; `undefined` when there is none. */
  async get(stream: string, question: MessageQuestion): Promise<RawMessage | undefined> {
    try {
      const { message } = await this.ask<{ message: ApiMessage }>(`STREAM.MSG.GET.${stream}`, question);
      const { subject, seq, hdrs, data, time } = message;
      return {
        subject,
        sequence: seq,
        time: Date.parse(time),
        headers: parseHeaders(hdrs),
        data: bytesOf(data ?? ""),
      };
    } catch (error) {
      if (error instanceof ApiError && error.errorCode === errorCodes.messageNotFound) return undefined;
      throw error;
    }
  }

  /** Several messages, from any server that has the stream. Nothing when there is none. */
  async direct(stream: string, question: DirectQuestion): Promise<RawMessage[]> {
    const found: RawMessage[] = [];
    await this.#requests.askMany(this.subjectOf(`DIRECT.GET.${stream}`), JSON.stringify(question), (message) => {
      const { headers } = message;
      const code = headers?.code ?? 0;
      // Each message comes on its own. The last answer has a status: 204 at the end, 404 without any message.
      if (code === 0) found.push(fromDirect(message));
      else if (code !== 204 && code !== 404) throw new ApiError({ code, description: headers?.description ?? "" });
      return code !== 0;
    });
    return found;
  }

  /** Stores one message. */
  publish(subject: string, payload: Uint8Array, headers: HeaderLines): Promise<Acknowledgement> {
    return this.#requests.ask(subject, payload, headers).then(resultOf<Acknowledgement>);
  }

  /** Stores messages next to each other, all or none; the sequence is that of the last one. */
  async publishBatch(
    id: string,
    batch: readonly { message: SentMessage; expected?: HeaderLines | undefined }[],
  ): Promise<Acknowledgement> {
    const last = batch.length - 1;
    const batchLine = headerLine("Nats-Batch-Id", id);
    for (const [index, { message, expected = "" }] of batch.entries()) {
      const headers = headersOf(message) + expected + batchLine + headerLine("Nats-Batch-Sequence", index + 1);
      // Only the last message is answered. Until it arrives, the server keeps the others aside, and forgets them after
      // a while.
      if (index < last) this.#requests.publish(message.subject, message.payload, headers);
      else {
        const committing = headers + headerLine("Nats-Batch-Commit", 1);
        return resultOf(await this.#requests.ask(message.subject, message.payload, committing));
      }
    }
    throw new LogError("A batch is empty", false);
  }
}

/**
 * The condition under which a message is stored: the newest one with a subject, which may have wildcards, is that at this
 * sequence, 0 for none.
 */
export function expectLast(subject: string, sequence: number): HeaderLines {
  const name = "Nats-Expected-Last-Subject-Sequence";
  return headerLine(name, sequence) + headerLine(`${name}-Subject`, subject);
}

/** A message within JSON: headers and data are base64. */
interface ApiMessage {
  readonly subject: string;
  readonly seq: number;
  readonly hdrs?: string;
  readonly data?: string;
  readonly time: string;
}

/** Publishing is answered in the same form as questions. */
function resultOf<Answer>(message: NatsMessageLike): Answer {
  const text = decoder.decode(message.data);
  let answer: (Answer & { error?: ApiErrorBody }) | undefined;
  try {
    answer = JSON.parse(text);
  } catch (error) {
    throw new LogError(`NATS gave an answer that is not JSON: ${messageOf(error)}`, "unknown", { cause: error });
  }
  if (answer?.error !== undefined) throw new ApiError(answer.error);
  return answer as Answer;
}

/** A direct get has the place of the message in its headers. */
function fromDirect({ headers, data }: NatsMessageLike): RawMessage {
  return {
    subject: headers?.get("Nats-Subject") ?? "",
    sequence: Number(headers?.get("Nats-Sequence")),
    time: Date.parse(headers?.get("Nats-Time-Stamp") ?? ""),
    headers,
    data,
  };
}
