// A call of append, with the messages that it becomes, through all its attempts.
import { LogError } from "../../base/errors.ts";
import type { AppendCall } from "../../log/append-queue.ts";
import { makeWitness } from "../../log/identity.ts";
import type { Appended, NewEntry } from "../../log/log.ts";
import { type SentMessage, type StoredMessage, toMessage } from "./message.ts";
import type { Incarnation } from "./streams.ts";
import { encodeToken } from "./subjects.ts";

/** Most bytes of a subject: a line of the protocol has 4,096, and the inbox is in it, too. */
const maxSubjectBytes = 3_500;
/** Bytes of headers, for which a message has room in addition to its payload. */
const headerBytes = 1_024;
/** The default of nats-server, for a client that does not pass on what its server has said. */
const defaultMaxPayload = 1024 ** 2;
const encoder = new TextEncoder();

/** An entry of a call: as it is sent, and the position that it has been given. */
export interface Sending {
  readonly entry: NewEntry;
  /** Replaced when the entry needs another identifier: see {@link renew}. */
  message: SentMessage;
  /** `undefined` until the entry is known to be stored. */
  appended: Appended | undefined;
  /** The same entry, earlier in the call. */
  readonly twin: Sending | undefined;
}

/** A call, with the witnesses and identifiers that it keeps in all its attempts. */
export interface Job {
  /** The call of the queue. */
  readonly call: AppendCall;
  /** In the order of the call. */
  readonly entries: Sending[];
  /** The stream for which the messages were made. In another one, their subjects and witnesses mean nothing. */
  readonly incarnation: Incarnation;
}

/**
 * The messages of a call. An error when the server would not take one of them: nothing of the call is sent then.
 *
 * @param maxPayload Most bytes of a message, as the server has said.
 */
export function createJob(
  call: AppendCall,
  incarnation: Incarnation,
  maxPayload: number = defaultMaxPayload,
): Job | LogError {
  const entries: Sending[] = [];
  for (const entry of call.entries) {
    const subject = incarnation.subjects.of(entry);
    const problem = unsendable(entry, subject, maxPayload);
    if (problem !== undefined) return new LogError(problem, false);
    const key = idOf(entry);
    // Without a key, the id of the call and the place in it: unique, and the same in each attempt.
    const message = toMessage(entry, subject, makeWitness(), key ?? `${call.id}.${entries.length}`);
    // A second entry with the key of the first gets its position, and is not sent.
    const twin = key === undefined ? undefined : entries.find((other) => other.message.id === key);
    entries.push({ entry, message, appended: undefined, twin });
  }
  return { call, entries, incarnation };
}

/** Checked before anything is sent: the server would close the connection for a message that is too large. */
function unsendable({ data }: NewEntry, subject: string, maxPayload: number): string | undefined {
  if (subject.length > maxSubjectBytes) {
    return "The names of the channel and the key do not fit into a subject of NATS; use shorter ones";
  }
  // The limit of the server is for headers and payload together.
  const most = maxPayload - headerBytes;
  // A character takes three bytes at most.
  if (data.length * 3 <= most || encoder.encode(data).length <= most) return undefined;
  return `The data of an entry has ${data.length} characters, and the server's max_payload is ${maxPayload} bytes; publish less, or raise it`;
}

/** Two entries of a channel with the same key have the same identifier, in all processes. */
function idOf({ channel, idempotencyKey }: NewEntry): string | undefined {
  return idempotencyKey === undefined ? undefined : `k.${encodeToken(channel)}.${encodeToken(idempotencyKey)}`;
}

/**
 * Gives an entry another identifier, since the server recognizes its key for longer than the log does. All publishers of the
 * key choose the same one, so that it is stored once.
 *
 * @param sequence That of the message with the identifier.
 */
export function renew(sending: Sending, sequence: number): void {
  const { message } = sending;
  const id = `${message.id}.${sequence}`;
  sending.message = { ...message, id };
}

/** Entries that are not known to be stored, each once. */
export function pendingOf({ entries }: Job): Sending[] {
  return entries.filter(({ appended, twin }) => appended === undefined && twin === undefined);
}

/** Each channel is searched once. */
export function channelsOf(job: Job): Set<string> {
  return new Set(pendingOf(job).map(({ entry }) => entry.channel));
}

/** A stored entry with the witness that this call gave it is its own, and not a duplicate. */
export function accept(sending: Sending, { offset, witness }: StoredMessage, { epoch }: Incarnation): void {
  const isOwn = witness === sending.message.witness;
  sending.appended = isOwn ? { epoch, offset, witness } : { epoch, offset, witness, duplicate: true };
}

/** In the order of the call, also when some of them were stored earlier. */
export function positionsOf({ entries }: Job): Appended[] {
  return entries.map(({ appended, twin }) => {
    return twin === undefined ? (appended as Appended) : { ...(twin.appended as Appended), duplicate: true };
  });
}

/** The positions of messages that were stored next to each other. */
export function place(stored: readonly Sending[], last: number, { epoch }: Incarnation): void {
  let offset = last - stored.length;
  for (const sending of stored) sending.appended = { epoch, offset: ++offset, witness: sending.message.witness };
}
