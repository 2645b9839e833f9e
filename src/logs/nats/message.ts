// One entry as a message of a stream, and back.
import type { LogEntry, NewEntry } from "../../log/log.ts";
import type { NatsHeadersLike } from "./connection.ts";
import { type HeaderLines, headerLine } from "./headers.ts";
import type { Subjects } from "./subjects.ts";

const encoder = new TextEncoder();
// A BOM at the beginning of the data is part of it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** An entry, as it is sent. */
export interface SentMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** The fields of the entry that are neither its subject nor its data. Those of the id come first: see {@link headersOf}. */
  readonly fields: HeaderLines;
  /** Also in the fields; here for the position that the publisher gets. */
  readonly witness: number;
  /** The server stores only one message with it within the duplicate window. */
  readonly id: string;
}

/** An entry, as the stream has it. */
export interface StoredMessage {
  readonly offset: number;
  readonly subject: string;
  readonly witness: number;
  /** The `Nats-Msg-Id`, by which a repetition is recognized. */
  readonly id: string;
  /** In milliseconds, by the server's clock. */
  readonly time: number;
  readonly channel: string;
  readonly type: string;
  readonly data: string;
  readonly key: string | undefined;
  readonly sender: string | undefined;
  /** Bytes that it takes in the stream, approximately. */
  readonly size: number;
  /** Of a kept value: where it stands in the log, and the witness before it. */
  readonly kept?: { readonly epoch: string; readonly previousWitness: number } | undefined;
}

/** The names of the headers. Only the first is one of NATS. */
const headerOf = {
  id: "Nats-Msg-Id",
  witness: "Sse-Witness",
  type: "Sse-Type",
  sender: "Sse-Sender",
  /** Of a kept value. */
  offset: "Sse-Offset",
  epoch: "Sse-Epoch",
  previousWitness: "Sse-Previous-Witness",
  time: "Sse-Time",
} as const;

/** Bytes of a stored message in addition to its subject, headers and payload. */
const storeOverheadBytes = 34;

/** The payload is the data as it is, for other readers of the stream. */
export function toMessage(entry: NewEntry, subject: string, witness: number, id: string): SentMessage {
  return { subject, payload: encoder.encode(entry.data), fields: fieldsOf(entry, witness), witness, id };
}

/** The headers of a message: it gets another id where the server recognizes its first one for too long. */
export function headersOf({ id, fields }: SentMessage): HeaderLines {
  return headerLine(headerOf.id, id) + fields;
}

/** The headers and the payload under which the newest entry of a key is kept after its removal from the stream. */
export function toKeptValue(entry: LogEntry, epoch: string): { payload: Uint8Array; headers: HeaderLines } {
  const { data, offset, witness, previousWitness, time } = entry;
  const place = [
    headerLine(headerOf.offset, offset),
    headerLine(headerOf.epoch, epoch),
    headerLine(headerOf.previousWitness, previousWitness),
    headerLine(headerOf.time, time),
  ];
  return { payload: encoder.encode(data), headers: fieldsOf(entry, witness) + place.join("") };
}

/** Headers are lines of ASCII, and a type may have any character. */
function fieldsOf({ type, sender }: NewEntry | LogEntry, witness: number): HeaderLines {
  const fields = headerLine(headerOf.witness, witness) + headerLine(headerOf.type, encodeURIComponent(type));
  return sender === undefined ? fields : fields + headerLine(headerOf.sender, encodeURIComponent(sender));
}

/** A message as JetStream delivers it, whichever way. */
export interface RawMessage {
  readonly subject: string;
  readonly sequence: number;
  /** In milliseconds. */
  readonly time: number;
  readonly headers: NatsHeadersLike | undefined;
  readonly data: Uint8Array;
}

/** Something else that was published to a subject of the log is an entry, too: its place in the sequence is taken. */
export function toStored(message: RawMessage, subjects: Subjects): StoredMessage {
  const { subject, sequence, time, headers, data } = message;
  const get = (name: string) => headers?.get(name) ?? "";
  const { channel, key } = subjects.parse(subject) ?? { channel: subject, key: undefined };
  const epoch = get(headerOf.epoch);
  const isKept = epoch !== "";
  return {
    // A kept value has a sequence of its own stream, which means nothing in the log.
    offset: isKept ? Number(get(headerOf.offset)) : sequence,
    subject,
    // 0 is not a witness: then the message is not of this package.
    witness: Number(get(headerOf.witness)) || foreignWitness(sequence, time),
    id: get(headerOf.id),
    time: isKept ? Number(get(headerOf.time)) : time,
    channel,
    type: decoded(get(headerOf.type)) || "message",
    data: decoder.decode(data),
    key,
    sender: decoded(get(headerOf.sender)) || undefined,
    size: data.length + subject.length + sizeOfHeaders(headers) + storeOverheadBytes,
    kept: isKept ? { epoch, previousWitness: Number(get(headerOf.previousWitness)) } : undefined,
  };
}

/** The entry, given the witness of the message before it. */
export function toEntry(message: StoredMessage, previousWitness: number): LogEntry {
  const { offset, witness, time, channel, type, data, key, sender } = message;
  return { offset, witness, previousWitness, time, channel, type, data, key, sender };
}

/** A 32-bit number that is the same in all processes, and not 0. */
export function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    state = Math.imul(state ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  // 0 would be read as a missing witness.
  return state || 1;
}

/** A message of another publisher has no witness. Its time distinguishes it from another one at the same place. */
function foreignWitness(sequence: number, time: number): number {
  return hash(`${sequence} ${time}`);
}

/** Only headers of the log are counted: an estimate for `maxBytes`. */
function sizeOfHeaders(headers: NatsHeadersLike | undefined): number {
  if (headers === undefined) return 0;
  let size = 16;
  for (const name of Object.values(headerOf)) {
    const { length } = headers.get(name);
    if (length > 0) size += name.length + length + 4;
  }
  return size;
}

/** Another program may have written the header. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
