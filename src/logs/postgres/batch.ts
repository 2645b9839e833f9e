// The calls of a tick as one request, and the answer as an outcome for each call.
import { LogError, SourcecastError } from "../../base/errors.ts";
import type { AppendCall, AppendOutcome } from "../../log/append-queue.ts";
import { conflict } from "../../log/errors.ts";
import { makeWitness } from "../../log/identity.ts";
import type { Appended, LogEntry, NewEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import type { Attempts } from "./attempts.ts";
import type { Parameter } from "./connection.ts";
import { encodeText } from "./text.ts";

/** An index of PostgreSQL holds values of up to 2,704 bytes. A channel and a key are in it together. */
const maxKeyBytes = 2_600;

/** Entries that are stored together: of one call with conditions, or of several calls without. */
interface Segment {
  /** Its first and its last entry, counted from 1 as the database does. */
  readonly low: number;
  high: number;
  /** Some entry has a key. */
  keyed: boolean;
  /** The demands of each entry, for a call with conditions. */
  readonly conditions?: readonly Conditions[] | undefined;
}

/** The `idempotencyKey` and the `after` of an entry. */
interface Conditions {
  /** The idempotency key. Names of one letter, since there is a pair for each entry of a burst. */
  readonly i?: string | undefined;
  /** The position to be after. */
  readonly a?: readonly [epoch: string, offset: number, witness: number] | undefined;
}

/** Calls with consecutive numbers and as many entries each, next to each other in one segment. */
type Run = readonly [first: number, calls: number, size: number, segment: number, start: number];

/** A request to append, and what is needed to read the answer. */
export class Batch {
  readonly #calls: readonly AppendCall[];
  readonly #attempts: Attempts;
  /** The entries of all calls that can be stored, in their order. */
  readonly #columns = new Columns();
  /** The calls that cannot be stored, and why. */
  readonly #rejected = new Map<AppendCall, Error>();
  /** The server stores each in one step. */
  readonly #segments: Segment[] = [];
  /** Where the entries of each call are, for the answer. */
  readonly #runs: Run[] = [];

  /** @param attempts What calls that were tried before keep. */
  constructor(calls: readonly AppendCall[], attempts: Attempts) {
    this.#calls = calls;
    this.#attempts = attempts;
    for (const call of calls) this.#add(call);
  }

  /** False when no call is left to be stored. */
  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  /**
   * The function that stores the calls, the types of its parameters, and these. Most ticks publish one plain entry, for which
   * there is a shorter one. It writes no receipt at the first attempt, see `schema/append-one.ts`.
   */
  request(member: string, windowMs: number): { name: string; casts: readonly string[]; parameters: Parameter[] } {
    const [first = 0] = this.#runs[0] ?? [];
    const entry = this.#plainEntry();
    if (entry !== null) {
      return { name: "append_one", casts: entryCasts, parameters: [member, String(first), ...entry] };
    }
    // The first and the last number identify the request: a receipt with a later number than the first answers it.
    const [begin = 0, count = 0] = this.#runs.at(-1) ?? [];
    const last = begin + count - 1;
    const request = { member, first, last, window: windowMs, calls: this.#runs, segments: this.#segments };
    return {
      name: "append",
      casts: batchCasts,
      parameters: [JSON.stringify(request), ...this.#columns.parameters()],
    };
  }

  /**
   * The usual request: one entry that demands nothing, and supersedes nothing. `null` for any other. A call that cannot be stored
   * is not part of it.
   */
  #plainEntry(): Parameter[] | null {
    const [segment] = this.#segments;
    const isPlain = segment?.keyed === false && segment.conditions === undefined;
    if (!isPlain || this.#columns.size !== 1) return null;
    const call = this.#calls.find((each) => !this.#rejected.has(each)) as AppendCall;
    const { since } = this.#attempts.of(call);
    // Without a position, the server would not know where to look for an earlier attempt.
    if (since === null || (call.attempt === 1 && this.#attempts.needReceipt)) return null;
    const position = call.attempt === 1 ? [null, null] : [String(since.offset), String(since.witness)];
    return [...this.#columns.only(), ...position];
  }

  /** The outcome of each call, and the entries that are new. The answer may be that to an earlier request with these calls. */
  read(answer: Answer): { outcomes: AppendOutcome[]; entries: LogEntry[] } {
    const entries: LogEntry[] = [];
    const outcomes = this.#calls.map((call) => {
      const rejected = this.#rejected.get(call);
      if (rejected !== undefined) return rejected;
      const number = numberOf(call);
      const run = answer.calls.find(([first, count]) => number >= first && number < first + count);
      // The answer is that to later calls, so this attempt came too late to be stored.
      if (run === undefined) return lateError();
      const [first, , size, segment, start] = run;
      const result = answer.results[segment] as Result;
      if (result.conflict !== undefined) return conflict(call.entries[result.conflict] as NewEntry, result.last);
      return this.#placed(call, start + (number - first) * size, result, answer.epoch, entries);
    });
    return { outcomes, entries };
  }

  /** The positions of a call's entries, of which the new ones are collected: duplicates are not new to any tail. */
  #placed(call: AppendCall, start: number, result: Result, epoch: string, entries: LogEntry[]): Appended[] {
    const { witnesses } = this.#attempts.of(call);
    const [first = 0, before = 0, time = 0] = result.placed ?? [];
    return call.entries.map(({ channel, type, data, key, sender }, index) => {
      const place = result.places?.[index];
      const [offset, witness, duplicate] = place ?? [first + start + index, witnesses[index] ?? 0, false];
      if (duplicate) return { epoch, offset, witness, duplicate };
      const previous = entries.at(-1);
      // An entry after one of the same answer follows it, any other one follows the entry before the call.
      const previousWitness = previous?.offset === offset - 1 ? previous.witness : before;
      entries.push({ offset, witness, previousWitness, time, channel, type, data, key, sender });
      return { epoch, offset, witness };
    });
  }

  /** Calls without conditions extend the segment before; each call with conditions is one of its own. */
  #add(call: AppendCall): void {
    const { entries } = call;
    const rejected = entries.map(keyError).find((error) => error !== undefined);
    if (rejected !== undefined) {
      // Left out of the request: in it, the server would reject all calls of the tick.
      this.#rejected.set(call, rejected);
      return;
    }
    const low = this.#columns.size + 1;
    this.#columns.add(entries, this.#attempts.of(call).witnesses);
    const conditions = conditionsOf(entries);
    let segment = this.#segments.at(-1);
    if (segment === undefined || conditions !== undefined || segment.conditions !== undefined) {
      segment = { low, high: low - 1, keyed: false, conditions };
      this.#segments.push(segment);
    }
    segment.high += entries.length;
    segment.keyed ||= entries.some(({ key }) => key !== undefined);
    this.#addRun(numberOf(call), entries.length, low - segment.low);
  }

  /** A burst of a thousand calls becomes one run, so that neither the request nor the receipt grows with it. */
  #addRun(number: number, size: number, start: number): void {
    const segment = this.#segments.length - 1;
    const last = this.#runs.at(-1);
    // The same size and consecutive numbers, without a call with conditions in between.
    const isContinued = last !== undefined && last[3] === segment && last[2] === size && last[0] + last[1] === number;
    if (isContinued) this.#runs[this.#runs.length - 1] = [last[0], last[1] + 1, size, segment, last[4]];
    else this.#runs.push([number, 1, size, segment, start]);
  }
}

/** The entries of one call, as the parameters of the function `enqueue`. */
export function callParameters(entries: readonly NewEntry[]): string[] {
  const columns = new Columns();
  columns.add(entries, entries.map(makeWitness));
  const keyed = entries.some(({ key }) => key !== undefined);
  return [JSON.stringify({ keyed, conditions: conditionsOf(entries) }), ...columns.parameters()];
}

/** The types of a request and its columns, as `schema/append.ts` has them. */
export const batchCasts: readonly string[] = [
  "json",
  ...Array.from({ length: 5 }, () => "text[]"),
  ...Array.from({ length: 2 }, () => "bigint[]"),
];

/** The types of a member, a call, an entry and a position, as `append_one` has them. */
const entryCasts = [
  "text",
  "bigint",
  ...Array.from({ length: 4 }, () => "text"),
  ...Array.from({ length: 4 }, () => "bigint"),
];

/** Entries by columns, as array literals of PostgreSQL: the one form that all clients pass on unchanged. */
class Columns {
  readonly #entries: NewEntry[] = [];
  readonly #witnesses: number[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** Appends the entries of a call. */
  add(entries: readonly NewEntry[], witnesses: readonly number[]): void {
    this.#entries.push(...entries);
    this.#witnesses.push(...witnesses);
  }

  /** Those of the only entry, in the order of the parameters of `append_one`. */
  only(): Parameter[] {
    const entry = this.#entries[0] as NewEntry;
    const { channel, type, data, sender } = entry;
    const texts = [channel, type, data].map(encodeText);
    const numbers = [String(this.#witnesses[0]), String(weightOf(entry))];
    return [...texts, sender === undefined ? null : encodeText(sender), ...numbers];
  }

  /** In the order of the parameters of the functions. */
  parameters(): string[] {
    const texts = (pick: (entry: NewEntry) => string | undefined) =>
      `{${this.#entries.map(pick).map(element).join(",")}}`;
    return [
      texts(({ channel }) => channel),
      texts(({ type }) => type),
      texts(({ data }) => data),
      texts(({ key }) => key),
      texts(({ sender }) => sender),
      `{${this.#witnesses.join(",")}}`,
      `{${this.#entries.map(weightOf).join(",")}}`,
    ];
  }
}

/** Quoted, so that no text is taken for NULL or for the end of an array. */
function element(text: string | undefined): string {
  return text === undefined ? "NULL" : `"${encodeText(text).replace(/["\\]/g, "\\$&")}"`;
}

/** `undefined` for a call whose entries demand nothing. */
function conditionsOf(entries: readonly NewEntry[]): Conditions[] | undefined {
  if (entries.every(({ after, idempotencyKey }) => after === undefined && idempotencyKey === undefined))
    return undefined;
  return entries.map(({ after, idempotencyKey }) => ({
    i: idempotencyKey === undefined ? undefined : encodeText(idempotencyKey),
    a: after === undefined ? undefined : [after.epoch, after.offset, after.witness],
  }));
}

/** Why an entry cannot be stored, `undefined` when it can. */
export function keyError({ channel, key = "", idempotencyKey = "" }: NewEntry): Error | undefined {
  // Two indexes, one with each: the longer one decides.
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
  /** The epoch of all positions in the answer. */
  readonly epoch: string;
  /** The runs of the request that was stored, which may be an earlier one. */
  readonly calls: readonly Run[];
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

/** Its caller has been given an outcome already, or never gets one: no publisher waits for it any more. */
function lateError(): LogError {
  return new LogError(
    "The append arrived after later ones of this process; publish again with the same idempotencyKey",
    "unknown",
  );
}
