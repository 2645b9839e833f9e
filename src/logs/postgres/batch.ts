// The calls of a tick as one request, and the answer as an outcome for each call.
import { LogError, SourcecastError } from "../../base/errors.ts";
import type { AppendCall, AppendOutcome } from "../../log/append-queue.ts";
import { conflict } from "../../log/errors.ts";
import { makeWitness } from "../../log/identity.ts";
import type { Appended, LogEntry, NewEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { encodeText } from "./text.ts";

/** An index of PostgreSQL holds values of up to 2,704 bytes. A channel and a key are in it together. */
const maxKeyBytes = 2_600;

/** Entries that are stored together: of one call with conditions, or of several calls without. */
export interface Segment {
  readonly plain: boolean;
  /** Some entry has a key. */
  readonly keyed: boolean;
  readonly entries: readonly object[];
}

/** A request to append, and what is needed to read the answer. */
export class Batch {
  readonly #calls: readonly AppendCall[];
  readonly #witnesses: Witnesses;
  /** The calls that cannot be stored, and why. */
  readonly #rejected = new Map<AppendCall, Error>();
  readonly #segments: { plain: boolean; keyed: boolean; entries: object[] }[] = [];
  /** The number of each call, its segment, and its first entry there. */
  readonly #places: (readonly [number: number, segment: number, start: number])[] = [];

  constructor(calls: readonly AppendCall[], witnesses: Witnesses) {
    this.#calls = calls;
    this.#witnesses = witnesses;
    for (const call of calls) this.#add(call);
  }

  /** False when no call is left to be stored. */
  get isEmpty(): boolean {
    return this.#places.length === 0;
  }

  /** The request as JSON. */
  request(member: string, windowMs: number): string {
    const [first] = this.#places[0] ?? [0];
    const [last] = this.#places.at(-1) ?? [0];
    return JSON.stringify({ member, first, last, window: windowMs, calls: this.#places, segments: this.#segments });
  }

  /** The outcome of each call, and the entries that are new. The answer may be that to an earlier request with these calls. */
  read(answer: Answer): { outcomes: AppendOutcome[]; entries: LogEntry[] } {
    const places = new Map(answer.calls.map((place) => [place[0], place]));
    const entries: LogEntry[] = [];
    const outcomes = this.#calls.map((call) => {
      const rejected = this.#rejected.get(call);
      if (rejected !== undefined) return rejected;
      const [, segment, start] = places.get(numberOf(call)) ?? [0, -1, 0];
      const result = answer.results[segment];
      if (result === undefined) return lateError();
      if (result.conflict !== undefined) return conflict(call.entries[result.conflict] as NewEntry, result.last);
      return this.#placed(call, start, result, answer.epoch, entries);
    });
    return { outcomes, entries };
  }

  #placed(call: AppendCall, start: number, result: Result, epoch: string, entries: LogEntry[]): Appended[] {
    const witnesses = this.#witnesses.of(call);
    const [first = 0, before = 0, time = 0] = result.placed ?? [];
    return call.entries.map(({ channel, type, data, key, sender }, index) => {
      const [offset, witness, duplicate] = result.places?.[index] ?? [
        first + start + index,
        witnesses[index] ?? 0,
        false,
      ];
      if (duplicate) return { epoch, offset, witness, duplicate };
      const previousWitness = entries.at(-1)?.offset === offset - 1 ? (entries.at(-1)?.witness as number) : before;
      entries.push({ offset, witness, previousWitness, time, channel, type, data, key, sender });
      return { epoch, offset, witness };
    });
  }

  #add(call: AppendCall): void {
    const rejected = call.entries.map(keyError).find((error) => error !== undefined);
    if (rejected !== undefined) {
      this.#rejected.set(call, rejected);
      return;
    }
    const { plain, keyed, entries } = segmentOf(call.entries, this.#witnesses.of(call));
    let last = this.#segments.at(-1);
    if (last === undefined || !plain || !last.plain) {
      last = { plain, keyed, entries: [] };
      this.#segments.push(last);
    }
    this.#places.push([numberOf(call), this.#segments.length - 1, last.entries.length]);
    last.entries.push(...entries);
    last.keyed ||= keyed;
  }
}

/** The entries of one call as a segment of its own. */
export function segmentOf(entries: readonly NewEntry[], witnesses: readonly number[]): Segment {
  return {
    plain: entries.every(({ after, idempotencyKey }) => after === undefined && idempotencyKey === undefined),
    keyed: entries.some(({ key }) => key !== undefined),
    entries: entries.map((entry, index) => {
      const { channel, type, data, key, sender, idempotencyKey, after } = entry;
      return {
        c: channel,
        t: encodeText(type),
        d: encodeText(data),
        k: key === undefined ? undefined : encodeText(key),
        s: sender === undefined ? undefined : encodeText(sender),
        w: witnesses[index],
        b: weightOf(entry),
        i: idempotencyKey === undefined ? undefined : encodeText(idempotencyKey),
        a: after === undefined ? undefined : [after.epoch, after.offset, after.witness],
      };
    }),
  };
}

/** The witnesses of calls: a call that is tried again keeps those of its first attempt, which may have been stored. */
export class Witnesses {
  readonly #known = new WeakMap<AppendCall, number[]>();

  of(call: AppendCall): readonly number[] {
    let known = this.#known.get(call);
    if (known === undefined) {
      known = call.entries.map(makeWitness);
      this.#known.set(call, known);
    }
    return known;
  }
}

/** Why an entry cannot be stored, `undefined` when it can. */
export function keyError({ channel, key = "", idempotencyKey = "" }: NewEntry): Error | undefined {
  const longest = key.length > idempotencyKey.length ? key : idempotencyKey;
  const size = new TextEncoder().encode(channel + encodeText(longest)).length;
  if (size <= maxKeyBytes) return undefined;
  return new SourcecastError(
    "ERR_SSE_LIMIT",
    `A key and its channel take ${size} bytes, and the PostgreSQL log takes up to ${maxKeyBytes}; use a shorter key`,
  );
}

/** The answer of the function `append`. */
export interface Answer {
  readonly epoch: string;
  readonly calls: readonly (readonly [number: number, segment: number, start: number])[];
  readonly results: readonly Result[];
}

/** The result of one segment. */
interface Result {
  /** The first offset, the witness before it, and the time; `null` when nothing was placed. */
  readonly placed?: readonly [first: number, previousWitness: number, time: number] | null;
  /** Of each entry, for a call with conditions. */
  readonly places?: readonly (readonly [offset: number, witness: number, duplicate: boolean])[];
  /** The entry whose `after` does not hold. */
  readonly conflict?: number;
  /** The newest entry of its channel. */
  readonly last?: number;
}

/** The calls of a queue are numbered. */
export function numberOf({ id }: AppendCall): number {
  return Number(id.slice(id.lastIndexOf(".") + 1));
}

function lateError(): LogError {
  return new LogError(
    "The append arrived after later ones of this process; publish again with the same idempotencyKey",
    "unknown",
  );
}
