// The head of the log, as the leader of the stream knows it.

import { LogError } from "../../base/errors.ts";
import type { Floor, Head } from "../../log/log.ts";
import { headerLine } from "./headers.ts";
import {
  ApiError,
  errorCodes,
  type JetStream,
  type MessageQuestion,
  type StreamInfo,
  type StreamState,
} from "./jetstream.ts";
import { type StoredMessage, toStored } from "./message.ts";
import { epochOf, type Incarnation, type Streams } from "./streams.ts";

/** The head, and what else the same answers say. */
export interface Observation {
  /** The stream that has answered. */
  readonly incarnation: Incarnation;
  readonly head: Head;
  /** The numbers of the stream, for retention. */
  readonly state: StreamState;
  /** The server's time in milliseconds. */
  readonly time: number;
}

/** Attempts to get answers that belong together. */
const maxRounds = 8;

/**
 * Every call asks the leader, which alone knows whether the log has lost entries. The calls of one tick share one answer.
 *
 * **The floor.** A message says nothing about its predecessor: publishers would have to wait for each other. So the oldest
 * message that the stream has stands for the position before the oldest entry, and is itself counted as removed; it has the
 * witness that vouches for this position. Only while nothing was removed, the first message is an entry.
 */
export class HeadReader {
  readonly #jetStream: JetStream;
  readonly #streams: Streams;
  readonly #stream: string;
  /** The floor of a stream whose first message has this sequence and time, which no two messages share. */
  #known: { readonly key: string; readonly floor: Floor } | null = null;
  /** The observation of this tick, which later calls join. */
  #asking: Promise<Observation> | null = null;
  /** The head that was observed last. */
  latest: Head | null = null;
  /** Called before a question is sent. Returns what is called with the observation that answers it. */
  onAsk: () => (observation: Observation) => void = () => () => {};

  constructor(jetStream: JetStream, streams: Streams, stream: string) {
    this.#jetStream = jetStream;
    this.#streams = streams;
    this.#stream = stream;
  }

  /** Not an answer to a question of an earlier tick: what was appended before this call is in it. */
  observe(): Promise<Observation> {
    if (this.#asking === null) {
      const asking = this.#observe();
      this.#asking = asking;
      // Sent in this tick; a later call needs an answer to a later question.
      queueMicrotask(() =>
        queueMicrotask(() => {
          if (this.#asking === asking) this.#asking = null;
        }),
      );
    }
    return this.#asking;
  }

  /** The connection was lost, and with it perhaps a part of the log. */
  forget(): void {
    this.#known = null;
  }

  /** Stops after some attempts: a stream that is replaced all the time has no head. */
  async #observe(): Promise<Observation> {
    // Appends of this tick come first, and other questions join.
    for (let round = 0; round < maxRounds; round++) {
      const incarnation = await this.#streams.current();
      const onObserved = this.onAsk();
      const observation = await this.#tryToObserve(incarnation);
      if (observation === undefined) continue;
      this.latest = observation.head;
      onObserved(observation);
      return observation;
    }
    throw new LogError(`The stream ${this.#stream} changes faster than it can be read; try again`, false);
  }

  /** `undefined` when the answers are of different moments and do not belong together. */
  async #tryToObserve(incarnation: Incarnation): Promise<Observation | undefined> {
    let info: StreamInfo;
    let last: StoredMessage | undefined;
    try {
      [info, last] = await Promise.all([
        // The state has the numbers and the message has the witness. They are asked for at the same time, and compared.
        this.#jetStream.info(this.#stream),
        this.#get({ last_by_subj: ">" }, incarnation),
      ]);
    } catch (error) {
      if (!(error instanceof ApiError) || error.errorCode !== errorCodes.streamNotFound) throw error;
      this.#streams.invalidate();
      return undefined;
    }
    const { state } = info;
    // The stream was deleted and created again since it was opened.
    if (epochOf(info.created) !== incarnation.epoch) {
      this.#streams.invalidate();
      this.#known = null;
      return undefined;
    }
    if (last === undefined) {
      if (state.last_seq === 0) return this.#compose(incarnation, info, 0, incarnation.originWitness);
      // Another program purged it. A first message is needed, for its witness; whoever is faster writes it.
      if (state.messages === 0) await this.#markPurged(incarnation, state.last_seq);
      return undefined;
    }
    // Either it is a remnant, or the stream was replaced between the two answers.
    if (!isOwn(last, incarnation) && last.offset !== state.last_seq) return undefined;
    return this.#compose(incarnation, info, last.offset, last.witness);
  }

  /** Puts the answers together, if they belong together. */
  async #compose(
    incarnation: Incarnation,
    info: StreamInfo,
    top: number,
    witness: number,
  ): Promise<Observation | undefined> {
    const floor = await this.#floor(incarnation, info);
    // Entries were removed between the answers.
    if (floor === undefined || floor.offset > top) return undefined;
    const head = { epoch: incarnation.epoch, top, witness, floor };
    return { incarnation, head, state: info.state, time: Date.parse(info.ts) };
  }

  /**
   * The floor changes rarely, and reading it costs a question: it is remembered for as long as the first message stays.
   */
  async #floor(incarnation: Incarnation, { state }: StreamInfo): Promise<Floor | undefined> {
    let first = state.first_seq;
    let time = state.first_ts;
    if ((state.num_deleted ?? 0) > 0) {
      // The server lost messages, or a program removed some: what comes before them cannot be followed any longer.
      const { deleted = [], first_seq } = (await this.#jetStream.infoWithDeleted(this.#stream)).state;
      first = Math.max(first_seq, ...deleted.map((sequence) => sequence + 1));
      time = "";
    }
    const key = `${incarnation.epoch} ${first} ${time}`;
    const known = this.#known?.key === key ? this.#known.floor : await this.#floorAt(first, incarnation);
    // A time says that the message is the same one.
    if (known !== undefined && time !== "") this.#known = { key, floor: known };
    return known;
  }

  /** `undefined` when a message was removed since the state was read: the whole observation is then repeated. */
  async #floorAt(first: number, incarnation: Incarnation): Promise<Floor | undefined> {
    const { subjects, originWitness } = incarnation;
    if (first === 0) return { offset: 0, witness: originWitness };
    const message = await this.#get({ seq: first }, incarnation);
    if (message === undefined) return undefined;
    if (isOwn(message, incarnation)) {
      return first === 1 ? { offset: 0, witness: originWitness } : { offset: first, witness: message.witness };
    }
    // A stream that was just deleted may leave its messages to the next one of its name (nats-server 2.15.1).
    // The log begins with its own first message, and the remnant before it stands for the floor.
    const own = await this.#get({ seq: first, next_by_subj: subjects.all }, incarnation);
    const last = own ?? (await this.#get({ last_by_subj: ">" }, incarnation));
    const remnant = own === undefined ? last : await this.#get({ seq: own.offset - 1 }, incarnation);
    return remnant && { offset: remnant.offset, witness: remnant.witness };
  }

  async #get(question: MessageQuestion, { subjects }: Incarnation): Promise<StoredMessage | undefined> {
    const message = await this.#jetStream.get(this.#stream, question);
    return message && toStored(message, subjects);
  }

  /** The condition lets one process write it, and only while the stream is still empty. */
  async #markPurged({ subjects }: Incarnation, lastSequence: number): Promise<void> {
    const subject = `${subjects.end("")}`;
    const headers = headerLine("Nats-Expected-Last-Sequence", lastSequence);
    await this.#jetStream.publish(subject, new Uint8Array(), headers).catch((error) => {
      if (!(error instanceof ApiError)) throw error;
    });
  }
}

/** Messages of another stream, which had the same name, have another prefix. */
function isOwn({ subject }: StoredMessage, { subjects }: Incarnation): boolean {
  return subjects.parse(subject) !== undefined;
}
