// The newest entry of each key: in the stream of entries while that has it, in the stream of values afterwards.
import { LogError } from "../../base/errors.ts";
import type { ChannelSelection, LogEntry } from "../../log/log.ts";
import { compileSelection } from "../../log/selection.ts";
import { ApiError, type DirectQuestion, errorCodes, expectLast, type JetStream } from "./jetstream.ts";
import {
  type RawMessage,
  type StoredMessage,
  type StoredValue,
  toEntry,
  toKeptValue,
  toStored,
  toStoredValue,
} from "./message.ts";
import type { PageState } from "./pages.ts";
import { valuesStream } from "./stream-config.ts";
import type { Incarnation } from "./streams.ts";
import type { Subjects } from "./subjects.ts";

/** Most subjects of one question, and most messages of one answer: the server has no more than 1,024. */
const questionSize = 1_000;
const requestBytes = 1024 ** 2;
/** Values that are written at once. */
const writesAtOnce = 256;
/** Attempts at one value, while other processes write it too. */
const maxAttempts = 5;

/**
 * A value is written when its entry is about to be removed, by whichever process removes it, and replaced only by a later
 * one. Until then, the entry itself is the value: a value can never be older, or of another history, than the entries say.
 *
 * A value has the position and the witnesses of its entry in its headers, together with the epoch. A value of another
 * epoch, or with an offset that the log has with another witness, is one of a lost history, and is ignored.
 *
 * All questions for the newest entries of keys go to the server as lists of subjects. It answers them from an index,
 * whatever the size of the stream.
 */
export class ValueStore {
  readonly #jetStream: JetStream;
  readonly #stream: string;
  readonly #valuesStream: string;

  constructor(jetStream: JetStream, stream: string) {
    this.#jetStream = jetStream;
    this.#stream = stream;
    this.#valuesStream = valuesStream(stream);
  }

  /** The newest retained entry of each key of a selection, oldest first, without their predecessors' witnesses. */
  async retained(selection: ChannelSelection | undefined, { incarnation, head }: PageState): Promise<StoredMessage[]> {
    // An empty log is not asked: the server answers such a question with an error.
    if (head.top === 0) return [];
    const { subjects } = incarnation;
    const filters = filtersOf(selection, (channel) => subjects.keyedOf(channel), subjects.keyed);
    const found = (await this.#newest(this.#stream, filters)).map((raw) => toStored(raw, subjects));
    const matches = compileSelection(selection);
    return found.sort(byOffset).filter(({ offset, channel }) => {
      return offset > head.floor.offset && offset <= head.top && matches(channel);
    });
  }

  /**
   * The values of a selection whose entries were removed, oldest first. Those that a retained entry supersedes are left out.
   */
  async kept(selection: ChannelSelection | undefined, { incarnation, head }: PageState): Promise<LogEntry[]> {
    if (head.floor.offset === 0) return [];
    const { values } = incarnation;
    const filters = filtersOf(selection, (channel) => values.keyedOf(channel), values.keyed);
    const matches = compileSelection(selection);
    const found = (await this.#values(filters, values)).filter((message) => {
      return isValid(message, incarnation, head.floor.offset) && matches(message.channel);
    });
    if (found.length === 0) return [];
    // A newer entry of the key may be retained: then that is the value.
    const newest = await this.newestOffsets(found, incarnation);
    return found
      .filter((message) => (newest.get(entrySubject(message, incarnation)) ?? 0) <= head.floor.offset)
      .map((message) => toEntry(message, message.kept?.previousWitness as number))
      .sort(byOffset);
  }

  /** Whether any value was kept. */
  async hasKept({ values }: Incarnation): Promise<boolean> {
    return (await this.#jetStream.get(this.#valuesStream, { last_by_subj: values.all })) !== undefined;
  }

  /** Offsets of the newest messages with the keys of some entries, by subject. */
  async newestOffsets(
    entries: readonly { readonly channel: string; readonly key?: string | undefined }[],
    incarnation: Incarnation,
  ): Promise<Map<string, number>> {
    const newest = new Map<string, number>();
    const subjects = [...new Set(entries.map((entry) => entrySubject(entry, incarnation)))];
    for (const filters of chunks(subjects)) {
      for (const { subject, sequence } of await this.#multiLast(this.#stream, filters)) newest.set(subject, sequence);
    }
    return newest;
  }

  /**
   * Keeps entries that are about to be removed: those that are the newest of their keys now. Resolves when all are stored.
   */
  async keep(entries: readonly LogEntry[], upTo: number, incarnation: Incarnation): Promise<void> {
    const newest = await this.newestOffsets(entries, incarnation);
    const needed = entries.filter((entry) => {
      return (newest.get(entrySubject(entry, incarnation)) ?? 0) <= upTo;
    });
    // Of several entries with one key, the last one.
    const bySubject = new Map(needed.map((entry) => [entrySubject(entry, incarnation), entry]));
    const values = [...bySubject.values()];
    for (let index = 0; index < values.length; index += writesAtOnce) {
      await Promise.all(values.slice(index, index + writesAtOnce).map((entry) => this.#write(entry, incarnation)));
    }
  }

  /**
   * Removes values of a history that the log has lost, with offsets in (after, upTo]: once the entries there are removed,
   * nothing would distinguish such a value from one of the log.
   *
   * @param present The witnesses of the entries with a key that the log has there.
   */
  async removeLost(
    { after, upTo }: { after: number; upTo: number },
    present: ReadonlyMap<number, number>,
    incarnation: Incarnation,
  ): Promise<void> {
    const { values } = incarnation;
    const newest = await this.#jetStream.get(this.#valuesStream, { last_by_subj: values.all });
    // Values are written in the order of the log, nearly: mostly, nothing is as late as this.
    if (newest === undefined || toStoredValue(newest, values).offset <= after) return;
    for (const { offset, witness, subject, kept } of await this.#values([values.keyed], values)) {
      const isThere = kept?.epoch === incarnation.epoch && present.get(offset) === witness;
      if (offset <= after || offset > upTo || isThere) continue;
      await this.#jetStream.ask(`STREAM.PURGE.${this.#valuesStream}`, { filter: subject });
    }
  }

  /**
   * Several processes trim, and write the same value or a later one. The condition keeps an earlier one from replacing
   * it.
   */
  async #write(entry: LogEntry, incarnation: Incarnation): Promise<void> {
    const subject = incarnation.values.of(entry);
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const present = await this.#jetStream.get(this.#valuesStream, { last_by_subj: subject });
      if (present !== undefined) {
        const stored = toStoredValue(present, incarnation.values);
        const isOurs = stored.kept?.epoch === incarnation.epoch;
        // Written before: by another process, or by a run of retention that was interrupted.
        if (isOurs && stored.offset === entry.offset && stored.witness === entry.witness) return;
        // Another process has come further.
        if (isOurs && stored.offset > entry.offset) return;
      }
      const { payload, headers } = toKeptValue(entry, incarnation.epoch);
      try {
        await this.#jetStream.publish(subject, payload, headers + expectLast(subject, present?.sequence ?? 0));
        return;
      } catch (error) {
        if (!isOvertaken(error)) throw error;
      }
    }
    throw new LogError(`The value of ${subject} changes faster than it can be written`, false);
  }

  /** The values that one of the filters has, each with the place of its entry. */
  async #values(filters: readonly string[], values: Subjects): Promise<StoredValue[]> {
    return (await this.#newest(this.#valuesStream, filters)).map((raw) => toStoredValue(raw, values));
  }

  /** The newest message with each subject that one of the filters has. */
  async #newest(stream: string, filters: readonly string[]): Promise<RawMessage[]> {
    let found: RawMessage[] = [];
    for (const some of chunks(filters)) found = found.concat(await this.#multiLast(stream, some));
    return found;
  }

  /** In requests of bounded size. The server rejects a question whose answer has too many subjects: then, all are read. */
  /** Pages follow one another by sequence, so that an answer of any size is read in parts. */
  async #multiLast(stream: string, filters: readonly string[]): Promise<RawMessage[]> {
    const found: RawMessage[] = [];
    try {
      for (let seq = 1; ; ) {
        const question = { multi_last: filters, seq, batch: questionSize, max_bytes: requestBytes };
        const page = await this.#jetStream.direct(stream, question);
        found.push(...page);
        const last = page.at(-1);
        if (last === undefined) return found;
        // An answer ends where its size is reached, without a word whether there is more.
        seq = last.sequence + 1;
      }
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 413) throw error;
    }
    // The slow way, in the order of the stream: the last message with each subject is the newest.
    const newest = new Map<string, RawMessage>();
    for (const filter of filters) {
      for await (const message of this.#matching(stream, filter)) newest.set(message.subject, message);
    }
    return [...newest.values()].sort((a, b) => a.sequence - b.sequence);
  }

  /** All messages with a subject, where the question for the newest of each has too many answers. */
  async *#matching(stream: string, filter: string): AsyncGenerator<RawMessage> {
    for (let seq = 1; ; ) {
      const question: DirectQuestion = { seq, next_by_subj: filter, batch: questionSize, max_bytes: requestBytes };
      const page = await this.#jetStream.direct(stream, question);
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      seq = last.sequence + 1;
    }
  }
}

/** Oldest first. */
function byOffset(a: { readonly offset: number }, b: { readonly offset: number }): number {
  return a.offset - b.offset;
}

/** Its entry was removed, and belongs to the present history as far as the floor says. */
function isValid({ offset, kept }: StoredValue, { epoch }: Incarnation, floor: number): boolean {
  return kept?.epoch === epoch && offset <= floor;
}

/** The subject of a key, which its entry and its value share but for the prefix. */
function entrySubject({ channel, key }: { channel: string; key?: string | undefined }, { subjects }: Incarnation) {
  return subjects.of({ channel, key, type: "" });
}

/** Subjects for a selection: those of its channels; everything where there are prefixes, which subjects cannot express. */
function filtersOf(
  selection: ChannelSelection | undefined,
  ofChannel: (channel: string) => string,
  all: string,
): readonly string[] {
  if (selection === undefined || selection.prefixes.length > 0) return [all];
  return [...new Set(selection.channels)].map(ofChannel);
}

/** Lists that one question takes. */
function chunks<T>(list: readonly T[]): T[][] {
  const found: T[][] = [];
  for (let index = 0; index < list.length; index += questionSize) found.push(list.slice(index, index + questionSize));
  return found;
}

/** Another process has written there since. */
export function isOvertaken(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return error.errorCode === errorCodes.wrongLastSequence || error.errorCode === errorCodes.wrongLastSequenceInFlight;
}
