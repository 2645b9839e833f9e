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
  /** The fields of the entry that are neither its subject nor its data. The id comes before them: see {@link headersOf}. */
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
  /** In milliseconds, by the server's clock. */
  readonly time: number;
  readonly channel: string;
  readonly type: string;
  readonly data: string;
  readonly key: string | undefined;
  readonly sender: string | undefined;
}

/** A message of the stream of values. */
export interface StoredValue extends StoredMessage {
  /** The incarnation of its entry, and the witness before that; `undefined` for what something else has published. */
  readonly kept: { readonly epoch: string; readonly previousWitness: number } | undefined;
}

/** The `Nats-Msg-Id`, by which the server recognizes a repetition. */
const idHeader = "Nats-Msg-Id";
/**
 * The witness, the type and the sender of an entry, separated by spaces. They share one header: to the client, each header costs
 * more than the rest of the message.
 */
const entryHeader = "Sse-Entry";
/** Of a kept value: the epoch, the offset and the time of its entry, and the witness before it. */
const keptHeader = "Sse-Kept";

/** Bytes of a stored message in addition to its subject, its payload and the lines of its headers. */
const storeOverheadBytes = 50;

/** The payload is the data as it is, for other readers of the stream. */
export function toMessage(entry: NewEntry, subject: string, witness: number, id: string): SentMessage {
  return { subject, payload: encoder.encode(entry.data), fields: fieldsOf(entry, witness), witness, id };
}

/** The headers of a message: it gets another id where the server recognizes its first one for too long. */
export function headersOf({ id, fields }: SentMessage): HeaderLines {
  return headerLine(idHeader, id) + fields;
}

/** The headers and the payload under which the newest entry of a key is kept after its removal from the stream. */
export function toKeptValue(entry: LogEntry, epoch: string): { payload: Uint8Array; headers: HeaderLines } {
  const { data, offset, witness, previousWitness, time } = entry;
  const place = headerLine(keptHeader, [epoch, offset, time, previousWitness].join(" "));
  return { payload: encoder.encode(data), headers: fieldsOf(entry, witness) + place };
}

/** Headers are lines of ASCII without a space, and a type may have any character. */
function fieldsOf({ type, sender }: NewEntry | LogEntry, witness: number): HeaderLines {
  const suffix = sender === undefined ? "" : ` ${encodeURIComponent(sender)}`;
  return headerLine(entryHeader, `${witness} ${encodeURIComponent(type)}${suffix}`);
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
  const { subject, sequence, time, data } = message;
  const { channel, key } = subjects.parse(subject) ?? { channel: subject, key: undefined };
  const [witness, type = "", sender = ""] = headerOf(message, entryHeader).split(" ");
  return {
    offset: sequence,
    subject,
    // 0 is not a witness: then the message is not of this package.
    witness: Number(witness) || foreignWitness(sequence, time),
    time,
    channel,
    type: decoded(type) || "message",
    data: decoder.decode(data),
    key,
    sender: decoded(sender) || undefined,
  };
}

/** A value has a sequence of its own stream, which means nothing in the log: the place of its entry is in its headers. */
export function toStoredValue(message: RawMessage, values: Subjects): StoredValue {
  const stored = toStored(message, values);
  const [epoch = "", offset, time, previousWitness] = headerOf(message, keptHeader).split(" ");
  if (epoch === "") return { ...stored, kept: undefined };
  const kept = { epoch, previousWitness: Number(previousWitness) };
  return { ...stored, offset: Number(offset), time: Number(time), kept };
}

/** The identifier of a message, by which a repetition is recognized. */
export function messageId(message: RawMessage): string {
  return headerOf(message, idHeader);
}

/** Bytes that a message takes in the stream: an estimate for `maxBytes`, which counts the headers of the log alone. */
export function storedSize(message: RawMessage): number {
  const { subject, data } = message;
  let size = storeOverheadBytes + subject.length + data.length;
  for (const name of [idHeader, entryHeader]) {
    const { length } = headerOf(message, name);
    if (length > 0) size += name.length + length + 4;
  }
  return size;
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

function headerOf({ headers }: RawMessage, name: string): string {
  return headers?.get(name) ?? "";
}

/** Another program may have written the header. */
function decoded(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
