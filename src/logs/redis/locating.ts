// Answers what reconnecting clients need to know, for many of them in one round trip.
import { verify } from "../../log/complete.ts";
import { makeEpoch, makeWitness } from "../../log/identity.ts";
import type { Head, LocateAnswer, Located, LocateQuestion, LogEntry } from "../../log/log.ts";
import { clearsOf, entriesOf, type HeadReply, headOf, type StreamBlock } from "./blocks.ts";
import { type Commands, Script } from "./commands.ts";
import { locateScript } from "./scripts/read.ts";
import { wholeCharacters } from "./selection.ts";

const script = new Script(locateScript);

/** In the order in which offsets, names and prefixes were passed. */
type LocateReply = readonly [head: HeadReply, witnesses: readonly number[], found: readonly FoundReply[]];
type FoundReply = readonly [trimmed: number, hasValues: number, end?: StreamBlock | null];

/** One call of a script: each offset, channel and prefix is asked for once, however many clients name it. */
export class Locating {
  readonly #commands: Commands;
  readonly #onClears: (clears: number) => void;

  /** @param onClears Called with each answer, before it is given: how many channels were cleared. */
  constructor(commands: Commands, onClears: (clears: number) => void) {
    this.#commands = commands;
    this.#onClears = onClears;
  }

  /** The witness at each offset, `undefined` where it is not known. */
  async witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    const { witnesses } = await this.#ask(offsets, [], []);
    return offsets.map((offset) => witnesses.get(offset));
  }

  /** All answers are of one state, which is that of the primary. */
  async locate(questions: readonly LocateQuestion[]): Promise<Located> {
    const offsets = questions.flatMap(({ cursor }) => cursor?.offset ?? []);
    const names = questions.flatMap(({ selection }) => selection.channels);
    const prefixes = questions.flatMap(({ selection }) => selection.prefixes);
    const { head, witnesses, channels, byPrefix } = await this.#ask(offsets, names, prefixes);
    // Offsets of another epoch are among those that were asked for. `verify` looks at the epoch first.
    const answers = questions.map(({ cursor, selection }): LocateAnswer => {
      const found = [
        // A channel that is named twice must not end twice.
        ...[...new Set(selection.channels)].map((name) => channels.get(name) as Found),
        ...selection.prefixes.map((prefix) => byPrefix.get(wholeCharacters(prefix)) as Found),
      ];
      return {
        verification: verify(cursor, head, (offset) => witnesses.get(offset)),
        ends: found.flatMap(({ end }) => end ?? []).sort((a, b) => a.offset - b.offset),
        trimmed: found.reduce((highest, { trimmed }) => Math.max(highest, trimmed), 0),
        hasValues: found.some(({ hasValues }) => hasValues),
      };
    });
    return { head, answers };
  }

  /** Clients of a storm share channels and positions: a question that many of them have is sent once. */
  async #ask(someOffsets: readonly number[], someNames: readonly string[], somePrefixes: readonly string[]) {
    const offsets = [...new Set(someOffsets)];
    const names = [...new Set(someNames)];
    const prefixes = [...new Set(somePrefixes.map(wholeCharacters))];
    const args = [makeEpoch(), makeWitness(), offsets.length, names.length, ...offsets, ...names, ...prefixes];
    const [headReply, witnessReply, foundReply] = (await this.#commands.run(script, args)) as LocateReply;
    this.#onClears(clearsOf(headReply));
    const found = foundReply.map(foundOf);
    return {
      head: headOf(headReply) as Head,
      // 0 stands for a witness that is not known.
      witnesses: new Map(offsets.map((offset, i) => [offset, Number(witnessReply[i]) || undefined])),
      channels: new Map(names.map((name, i) => [name, found[i] as Found])),
      byPrefix: new Map(prefixes.map((prefix, i) => [prefix, found[names.length + i] as Found])),
    };
  }
}

/** A marker is there only for a channel that has ended. */
function foundOf([trimmed, hasValues, end]: FoundReply): Found {
  return { trimmed: Number(trimmed), hasValues: Number(hasValues) === 1, end: end ? entriesOf(end)[0] : undefined };
}

/** A channel, or all channels with a prefix, as far as a client needs to know. */
interface Found {
  /** The highest offset that it has lost. */
  readonly trimmed: number;
  readonly hasValues: boolean;
  /** Never of a prefix: it is not known which channels it will have. */
  readonly end: LogEntry | undefined;
}
