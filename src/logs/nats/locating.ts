// The questions of (re)connecting clients, all those of a tick together.
import { verify } from "../../log/complete.ts";
import type { LocateAnswer, Located, LocateQuestion, LogEntry } from "../../log/log.ts";
import type { HeadReader, Observation } from "./head-reader.ts";
import type { JetStream } from "./jetstream.ts";
import { toEntry, toStored } from "./message.ts";
import type { PageCache } from "./pages.ts";
import type { Incarnation, Streams } from "./streams.ts";
import type { ValueStore } from "./values.ts";

/** Most subjects of one question: the server has no more than 1,024 in an answer. */
const questionSize = 1_000;

/** The parts of the log that the answers are made of. */
export interface LocatingContext {
  readonly jetStream: JetStream;
  readonly stream: string;
  readonly streams: Streams;
  readonly heads: HeadReader;
  readonly pages: PageCache;
  readonly values: ValueStore;
}

/**
 * Whatever the number of clients, the questions are few: one for the head, one for each thousand channels, and one for each
 * page in which a cursor lies; the clients will read that page next. While nothing is published, none waits for another.
 *
 * A storm of ten thousand clients with channels of their own thus takes about a dozen questions for ends and values, and
 * as many pages as lie between the oldest cursor and the head.
 */
export class Locating {
  readonly #context: LocatingContext;
  /** The floor at which no value was found. */
  #checkedFloor = 0;

  constructor(context: LocatingContext) {
    this.#context = context;
  }

  /** The answers are those of the state of the head: whatever came later is delivered by the tail. */
  async locate(questions: readonly LocateQuestion[]): Promise<Located> {
    const { heads, streams } = this.#context;
    const incarnation = await streams.current();
    const names = new Set(questions.flatMap(({ selection }) => selection.channels));
    // The head of an earlier question. If it is still the head, all answers describe one state.
    const before = heads.latest;
    // Asked together with the head, before it is known whether they fit: mostly they do, and that saves a round trip.
    const [state, early] = await Promise.all([heads.observe(), this.#describe([...names], incarnation)]);
    // Answers that may be older than the head do not count: an end in between would be in neither.
    const isSame = before?.epoch === state.head.epoch && before.top === state.head.top;
    const { candidates, hasValues } = isSame ? early : await this.#describe([...names], state.incarnation);
    const [witnesses, ends, hasNewValues] = await Promise.all([
      this.#witnesses(questions, state),
      this.#ends(candidates, state),
      // Once there are values, there are some for good: the newest entry of a key is never removed.
      hasValues || this.#hasValuesSince(state),
    ]);
    const { head } = state;
    const answers = questions.map(({ cursor, selection }): LocateAnswer => {
      return {
        verification: verify(cursor, head, (offset) => witnesses.get(offset)),
        ends: endsOf(selection.channels, ends),
        // The stream does not say which channels had entries that are gone.
        trimmed: head.floor.offset,
        hasValues: hasNewValues,
      };
    });
    return { head, answers };
  }

  /** Both at the same time: neither needs the other. */
  async #describe(names: readonly string[], incarnation: Incarnation) {
    const [candidates, hasValues] = await Promise.all([
      this.#endMarkers(names, incarnation),
      this.#hasValues(incarnation),
    ]);
    return { candidates, hasValues };
  }

  /** Offsets that many clients have in common are looked up once, and pages that many offsets have in common are read once. */
  async #witnesses(questions: readonly LocateQuestion[], state: Observation): Promise<Map<number, number>> {
    const { head, incarnation } = state;
    const found = new Map([[0, incarnation.originWitness]]);
    const offsets = new Set<number>();
    for (const { cursor } of questions) {
      // The witness of the head is known, and positions past it are not of this log.
      if (cursor !== null && cursor.epoch === head.epoch && cursor.offset < head.top) offsets.add(cursor.offset);
    }
    await Promise.all(
      [...offsets].map(async (offset) => {
        const witness = await this.#context.pages.witnessAt(offset, state);
        if (witness !== undefined) found.set(offset, witness);
      }),
    );
    return found;
  }

  /** The newest end marker of each channel: it may have been published on since. */
  async #endMarkers(
    names: readonly string[],
    { subjects }: Incarnation,
  ): Promise<{ channel: string; offset: number }[]> {
    const { jetStream, stream } = this.#context;
    // End markers have a subject of their own, so finding them does not depend on what else a channel has.
    const filters = names.map((name) => subjects.end(name));
    const parts: Promise<{ channel: string; offset: number }[]>[] = [];
    for (let index = 0; index < filters.length; index += questionSize) {
      const question = { multi_last: filters.slice(index, index + questionSize), batch: questionSize };
      parts.push(
        jetStream.direct(stream, question).then((messages) => {
          return messages.map((raw) => ({ channel: toStored(raw, subjects).channel, offset: raw.sequence }));
        }),
      );
    }
    return (await Promise.all(parts)).flat();
  }

  /** Those that are still the newest entries of their channels. Asked only where there is one, which is rare. */
  async #ends(
    candidates: readonly { channel: string; offset: number }[],
    state: Observation,
  ): Promise<Map<string, LogEntry>> {
    const { jetStream, stream, pages } = this.#context;
    const { head, incarnation } = state;
    const ends = new Map<string, LogEntry>();
    await Promise.all(
      candidates.map(async ({ channel, offset }) => {
        // An end that came after the head is delivered by the tail, and one below the floor is gone.
        if (offset <= head.floor.offset || offset > head.top) return;
        const raw = await jetStream.get(stream, { last_by_subj: incarnation.subjects.allOf(channel) });
        // Published on again since: the channel has not ended.
        if (raw?.sequence !== offset) return;
        const previousWitness = await pages.witnessAt(offset - 1, state);
        // Trimmed in between. The stream then tells its client of a gap, and the end follows with the next reconnect.
        if (previousWitness === undefined) return;
        ends.set(channel, toEntry(toStored(raw, incarnation.subjects), previousWitness));
      }),
    );
    return ends;
  }

  /** Whether there is a value at all: to know it for each client would cost a question for each. */
  async #hasValues(incarnation: Incarnation): Promise<boolean> {
    const { jetStream, stream, values } = this.#context;
    const [retained, hasKept] = await Promise.all([
      jetStream.get(stream, { last_by_subj: incarnation.subjects.keyed }),
      values.hasKept(incarnation),
    ]);
    return retained !== undefined || hasKept;
  }

  /** A value that was kept between the two answers is in none of them. It was kept because the floor has moved. */
  async #hasValuesSince({ head, incarnation }: Observation): Promise<boolean> {
    const { offset } = head.floor;
    if (offset === this.#checkedFloor) return false;
    const hasValues = await this.#context.values.hasKept(incarnation);
    this.#checkedFloor = offset;
    return hasValues;
  }
}

/** A name that was given twice has one end. */
function endsOf(channels: readonly string[], ends: ReadonlyMap<string, LogEntry>): LogEntry[] {
  if (ends.size === 0) return [];
  const found = [...new Set(channels)].flatMap((channel) => ends.get(channel) ?? []);
  return found.sort((a, b) => a.offset - b.offset);
}
