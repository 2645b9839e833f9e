// The conditions of an append, and the search for entries that are stored already.
import { conflict } from "../../log/errors.ts";
import type { HeadReader } from "./head-reader.ts";
import type { JetStream } from "./jetstream.ts";
import { accept, type Job, pendingOf, renew } from "./jobs.ts";
import { messageId, type StoredMessage, toStored } from "./message.ts";
import type { Reader } from "./reader.ts";
import type { Incarnation } from "./streams.ts";

/** An earlier attempt of a call of this process may be that old. */
const leastSearchMs = 60_000;
/** Messages of one answer: an earlier attempt is mostly among the newest ones. */
const requestEntries = 256;

/**
 * The server knows one condition: the newest message of a channel is the one at a sequence. The log finds that sequence,
 * decides whether the condition of the publisher holds with it, and lets the server check that it is still the newest.
 *
 * So there are two checks: that of the log, which knows about epochs and witnesses, and that of the server, which is
 * atomic. If another publisher is faster in between, the server rejects the message, and both are done again.
 */
export class Conditions {
  readonly #context: ConditionsContext;

  constructor(context: ConditionsContext) {
    this.#context = context;
  }

  /**
   * The condition under which the server stores the call: for each channel with a condition, the sequence of its newest
   * entry. An error when a condition does not hold now.
   */
  async check(job: Job): Promise<ReadonlyMap<string, number> | Error> {
    const channels = new Map<string, number>();
    const conditional = pendingOf(job).filter(({ entry }) => entry.after !== undefined);
    // Most calls have no condition, and cost no question here.
    if (conditional.length === 0) return channels;
    const { heads, reader } = this.#context;
    // From the leader, as every answer that a condition depends on.
    const state = await heads.observe();
    const { head, incarnation } = state;
    await Promise.all(
      [...new Set(conditional.map(({ entry }) => entry.channel))].map(async (channel) => {
        // 0 for a channel without entries, which is also what the server compares then.
        channels.set(channel, (await this.#newestOf(channel, incarnation))?.offset ?? 0);
      }),
    );
    for (const sending of conditional) {
      const { after, channel } = sending.entry;
      const last = channels.get(channel) ?? 0;
      if (after === undefined) continue;
      const isOurs = after.epoch === incarnation.epoch && after.offset <= head.top;
      // Before the floor, the channel may have had entries that are gone: that cannot be decided.
      const isKnown = isOurs && after.offset >= head.floor.offset;
      // Without the witness, the position can be neither confirmed nor refuted, which counts as a conflict.
      const witness = isKnown ? await reader.witnessAt(after.offset, state) : undefined;
      if (witness === after.witness && last <= after.offset) continue;
      // Its own entry, of an attempt whose answer was lost, or of a publisher that tries again.
      await this.findStored(job, channel);
      if (sending.appended !== undefined) continue;
      return witness === after.witness ? conflict(sending.entry, last) : conflict(sending.entry);
    }
    return channels;
  }

  async #newestOf(channel: string, { subjects }: Incarnation): Promise<StoredMessage | undefined> {
    const { jetStream, stream } = this.#context;
    const message = await jetStream.get(stream, { last_by_subj: subjects.allOf(channel) });
    return message && toStored(message, subjects);
  }

  /** Looks for entries of the call that the channel has already, in the time in which the server recognizes them. */
  async findStored({ entries, incarnation }: Job, channel: string): Promise<void> {
    const { jetStream, stream, heads, window } = this.#context;
    const { subjects } = incarnation;
    // By the identifiers under which the server recognizes messages: those of keys are the same for all publishers.
    const byId = new Map(entries.map((sending) => [sending.message.id, sending]));
    const { time, head } = await heads.observe();
    const start_time = new Date(time - Math.max(window, leastSearchMs)).toISOString();
    const next_by_subj = subjects.allOf(channel);
    let page = await jetStream.direct(stream, { start_time, next_by_subj, batch: requestEntries });
    while (page.length > 0) {
      for (const raw of page) {
        const id = messageId(raw);
        const sending = byId.get(id);
        if (sending === undefined || sending.appended !== undefined) continue;
        const isExpired = sending.entry.idempotencyKey !== undefined && time - raw.time >= window;
        if (isExpired) {
          byId.delete(id);
          // The window of the log is over, although the server still recognizes the key. The entry is a new one.
          renew(sending, raw.sequence);
          byId.set(sending.message.id, sending);
        } else accept(sending, toStored(raw, subjects), incarnation);
      }
      const seq = (page.at(-1)?.sequence ?? head.top) + 1;
      page = await jetStream.direct(stream, { seq, next_by_subj, batch: requestEntries });
    }
  }
}

/** The parts of the log that conditions are checked with. */
export interface ConditionsContext {
  readonly jetStream: JetStream;
  readonly stream: string;
  readonly heads: HeadReader;
  readonly reader: Reader;
  /** How long an `idempotencyKey` is recognized, in milliseconds. */
  readonly window: number;
}
