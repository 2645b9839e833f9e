// The calls of a tick as one request, and the answer as an outcome for each call.
import { LogError, SourcecastError } from "../../base/errors.ts";
import type { AppendCall, AppendOutcome } from "../../log/append-queue.ts";
import { conflict } from "../../log/errors.ts";
import { makeWitness } from "../../log/identity.ts";
import type { Appended, LogEntry, NewEntry } from "../../log/log.ts";
import type { Attempts, Known } from "./attempts.ts";
import { batchCasts, Columns, plainCasts } from "./columns.ts";
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
type Run = [first: number, calls: number, size: number, segment: number, start: number];

/** A call of the batch. */
interface BatchCall {
  readonly call: AppendCall;
  readonly number: number;
  /** The place of its first entry among those of all calls, counted from 0. */
  readonly start: number;
  /** Why it cannot be stored. It is not part of the request, in which the server would reject all calls of the tick. */
  readonly rejected: Error | undefined;
}

/** A request to append, and the means to read its answer. */
export interface AppendRequest {
  /** None of its calls can be stored: there is nothing to send. */
  readonly isEmpty: boolean;
  /** The function that stores the calls, the types of its parameters, and these. */
  statement(
    member: string,
    windowMs: number,
  ): { name: string; casts: readonly string[]; parameters: readonly Parameter[] };
  /** The calls have got no answer, and are tried again: they keep their witnesses, with which they may have been stored. */
  keep(): void;
  /**
   * The outcome of each call, and the entries that are new.
   *
   * @param answer Of the function, `null` when nothing was sent.
   * @param hasTails False to leave out the entries, for which nothing waits.
   */
  read(answer: unknown, hasTails: boolean): { epoch: string; outcomes: AppendOutcome[]; entries: LogEntry[] };
}

/** Any calls. */
export class Batch implements AppendRequest {
  readonly #attempts: Attempts;
  /** The newest position that this process knew when it made the batch. */
  readonly #since: Known | null;
  readonly #calls: readonly BatchCall[];
  /** The entries of all calls that can be stored, in their order. */
  readonly #columns = new Columns();
  /** The server stores each in one step. */
  readonly #segments: Segment[] = [];
  /** Where the entries of each call are, for the answer. */
  readonly #runs: Run[] = [];

  /** @param attempts Knows the witnesses of calls that were tried before. */
  constructor(calls: readonly AppendCall[], attempts: Attempts) {
    this.#attempts = attempts;
    this.#since = attempts.known;
    this.#calls = calls.map((call) => this.#add(call));
  }

  /** False when no call is left to be stored. */
  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  /** Most ticks publish plain entries, for which there is a shorter function. */
  statement(member: string, windowMs: number): { name: string; casts: readonly string[]; parameters: Parameter[] } {
    const [first = 0] = this.#runs[0] ?? [];
    const [segment] = this.#segments;
    // Entries that demand nothing, and supersede nothing.
    const isPlain = this.#segments.length === 1 && !segment?.keyed && segment?.conditions === undefined;
    // The first and the last number identify the request: a receipt with a later number than the first answers it.
    const [begin = 0, count = 0] = this.#runs.at(-1) ?? [];
    const last = begin + count - 1;
    // A list of one empty text cannot be told from an empty list.
    if (isPlain && this.#columns.size > 1 && !this.#attempts.needReceipt) {
      const parameters = [member, String(first), String(last), JSON.stringify(this.#runs), ...this.#columns.plain()];
      return { name: "append_plain", casts: plainCasts, parameters };
    }
    const late = this.#attempts.needReceipt;
    const request = { member, first, last, late, window: windowMs, calls: this.#runs, segments: this.#segments };
    return { name: "append", casts: batchCasts, parameters: [JSON.stringify(request), ...this.#columns.all()] };
  }

  keep(): void {
    for (const { call, start, rejected } of this.#calls) {
      if (rejected !== undefined || this.#attempts.of(call) !== undefined) continue;
      const witnesses = call.entries.map((_, index) => this.#columns.witnessAt(start + index));
      this.#attempts.keep(call, { witnesses, since: this.#since });
    }
  }

  /** The answer may be that to an earlier request with these calls. */
  read(answer: unknown, hasTails: boolean): { epoch: string; outcomes: AppendOutcome[]; entries: LogEntry[] } {
    const { epoch, calls, results } = (answer ?? noAnswer) as Answer;
    const entries: LogEntry[] = [];
    const collected = hasTails ? entries : null;
    let run: Run | undefined;
    const outcomes = this.#calls.map((each) => {
      const { call, number, rejected } = each;
      if (rejected !== undefined) return rejected;
      // Most batches have one run.
      if (!isIn(run, number)) run = calls.find((one) => isIn(one, number));
      // The answer is that to later calls, so this attempt came too late to be stored.
      if (run === undefined) return lateError();
      const { segment, place } = placeIn(run, number);
      const result = results[segment] as Result;
      if (result.conflict !== undefined) return conflict(call.entries[result.conflict] as NewEntry, result.last);
      return this.#placed(each, place, result, epoch, collected);
    });
    return { epoch, outcomes, entries };
  }

  /** The positions of a call's entries, of which the new ones are collected: duplicates are not new to any tail. */
  #placed(
    { call, start }: BatchCall,
    place: number,
    result: Result,
    epoch: string,
    entries: LogEntry[] | null,
  ): Appended[] {
    const [first = 0, before = 0, time = 0] = result.placed ?? [];
    return call.entries.map((entry, index) => {
      const found = result.places?.[index];
      if (found?.[2]) return { epoch, offset: found[0], witness: found[1], duplicate: true };
      const offset = found === undefined ? first + place + index : found[0];
      const witness = found === undefined ? this.#columns.witnessAt(start + index) : found[1];
      if (entries !== null) {
        const { channel, type, data, key, sender } = entry;
        const previous = entries.at(-1);
        // An entry after one of the same answer follows it, any other one follows the entry before the call.
        const previousWitness = previous?.offset === offset - 1 ? previous.witness : before;
        entries.push({ offset, witness, previousWitness, time, channel, type, data, key, sender });
      }
      return { epoch, offset, witness };
    });
  }

  /** Calls without conditions extend the segment before; each call with conditions is one of its own. */
  #add(call: AppendCall): BatchCall {
    const { entries } = call;
    const [number, start] = [numberOf(call), this.#columns.size];
    let keyed = false;
    for (const entry of entries) {
      const rejected = keyError(entry);
      if (rejected !== undefined) return { call, number, start, rejected };
      keyed ||= entry.key !== undefined;
    }
    const kept = this.#attempts.of(call)?.witnesses;
    for (const [index, entry] of entries.entries()) this.#columns.add(entry, kept?.[index] ?? makeWitness());
    const conditions = conditionsOf(entries);
    let segment = this.#segments.at(-1);
    if (segment === undefined || conditions !== undefined || segment.conditions !== undefined) {
      segment = { low: start + 1, high: start, keyed: false, conditions };
      this.#segments.push(segment);
    }
    segment.high += entries.length;
    segment.keyed ||= keyed;
    this.#addRun(number, entries.length, start + 1 - segment.low);
    return { call, number, start, rejected: undefined };
  }

  /** A burst of a thousand calls becomes one run, so that neither the request nor the receipt grows with it. */
  #addRun(number: number, size: number, start: number): void {
    const segment = this.#segments.length - 1;
    const last = this.#runs.at(-1);
    // The same size and consecutive numbers, without a call with conditions in between.
    const isContinued = last !== undefined && last[3] === segment && last[2] === size && last[0] + last[1] === number;
    if (isContinued) last[1]++;
    else this.#runs.push([number, 1, size, segment, start]);
  }
}

function isIn(run: Run | undefined, number: number): boolean {
  return run !== undefined && number >= run[0] && number < run[0] + run[1];
}

/** Where the first entry of a call is: its segment, and its place in that. */
function placeIn([first, , size, segment, start]: Run, number: number): { segment: number; place: number } {
  return { segment, place: start + (number - first) * size };
}

/** The same, `undefined` for a call that is in none of the runs. */
export function placeOf(number: number, runs: readonly Run[]): { segment: number; place: number } | undefined {
  const run = runs.find((one) => isIn(one, number));
  return run && placeIn(run, number);
}

/** The entries of one call, as the parameters of the function `enqueue`. */
export function callParameters(entries: readonly NewEntry[]): string[] {
  const columns = new Columns();
  for (const entry of entries) columns.add(entry, makeWitness());
  const keyed = entries.some(({ key }) => key !== undefined);
  return [JSON.stringify({ keyed, conditions: conditionsOf(entries) }), ...columns.all()];
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
  // A character takes three bytes at most, and encoding makes two of it at most.
  if ((channel.length + 2 * longest.length) * 3 <= maxKeyBytes) return undefined;
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
  readonly calls: Run[];
  readonly results: readonly Result[];
}

/** Of a request that was not sent. */
const noAnswer: Answer = { epoch: "", calls: [], results: [] };

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
export function lateError(): LogError {
  return new LogError(
    "The append arrived after later ones of this process; publish again with the same idempotencyKey",
    "unknown",
  );
}
