// Appends the calls of one tick with one call of a script.
import { LogError } from "../../base/errors.ts";
import type { AppendCall, AppendOutcome } from "../../log/append-queue.ts";
import { conflict } from "../../log/errors.ts";
import { makeEpoch, makeWitness } from "../../log/identity.ts";
import type { Appended, NewEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { blockBytes, blockEntries, type Item, itemOf } from "./blocks.ts";
import { type Commands, Script } from "./commands.ts";
import { isUnfinished, mayRetry } from "./errors.ts";
import { appendScript } from "./scripts/append.ts";
import { plainKeys, plainScript } from "./scripts/plain.ts";

const scripts = { append: new Script(appendScript), plain: new Script(plainScript, plainKeys) };

/** How long `WAIT` waits for replicas before the queue tries again, in milliseconds. */
const replicasTimeoutMs = 2_000;

/** As the script returns it for each call. */
type AnswerReply = number | string | readonly (number | string)[];
/** Of a plain batch, there is one answer: the offset of its first entry. */
type AppendReply = readonly [epoch: string, answers: number | readonly AnswerReply[]];

/** Bits of an entry's first argument, next to its witness. */
const flags = { key: 1, idempotencyKey: 2, after: 4, end: 8 } as const;
const flagsRange = 16;

/** The outcomes of stored calls. */
export interface Written {
  readonly outcomes: readonly AppendOutcome[];
  /** The highest offset among the answers. */
  readonly top: number;
}

/**
 * Turns calls into the arguments of the script, and its answer into outcomes. The script decides everything: which offset an
 * entry gets, whether its key is known, whether its condition holds.
 */
export class Writer {
  readonly #commands: Commands;
  readonly #windowMs: number;
  readonly #replicas: number;
  /**
   * Of calls whose attempt failed: an entry that is sent again has the witness with which it may be stored already. Not of all calls:
   * in a burst, a weak map takes a third of the publisher's time.
   */
  readonly #witnesses = new WeakMap<AppendCall, readonly number[]>();

  /**
   * @param windowMs How long an idempotency key is recognized.
   * @param replicas How many replicas must have an entry before it counts as stored.
   */
  constructor(commands: Commands, windowMs: number, replicas: number) {
    this.#commands = commands;
    this.#windowMs = windowMs;
    this.#replicas = replicas;
  }

  /** @throws {LogError} when no outcome is known. The same calls can be stored again: the script recognizes them. */
  async append(calls: readonly AppendCall[]): Promise<Written> {
    // Ids are `<queue>.<number>`, with ascending numbers: the script remembers the last calls of each queue.
    const [first] = calls;
    if (first === undefined) return { outcomes: [], top: 0 };
    const queue = first.id.slice(0, first.id.lastIndexOf("."));
    const batch = calls.map((call): WitnessedCall => ({ call, witnesses: this.#witnessesOf(call) }));
    try {
      const [epoch, answers] = await this.#storeBatch(batch, queue, numberOf(first));
      if (this.#replicas > 0) await this.#waitForReplicas();
      return writtenOf(batch, epoch, answers);
    } catch (error) {
      for (const { call, witnesses } of batch) this.#witnesses.set(call, witnesses);
      throw error;
    }
  }

  /** Witnesses are made here and not by the script, which returns less then. */
  #witnessesOf(call: AppendCall): readonly number[] {
    const known = call.attempt > 1 ? this.#witnesses.get(call) : undefined;
    return known ?? call.entries.map(makeWitness);
  }

  /** By the script that is fit for it. */
  async #storeBatch(batch: readonly WitnessedCall[], queue: string, number: number): Promise<AppendReply> {
    // A call that was given up leaves a hole among the numbers.
    const isPlain = batch.every(({ call }, index) => isPlainCall(call) && numberOf(call) === number + index);
    const stored = isPlain ? await this.#storePlain(plainArgs(batch, queue, number)) : null;
    // The script for plain calls leaves it to the other one whenever something is to be decided.
    return stored ?? ((await this.#commands.run(scripts.append, this.#argsOf(batch, queue))) as AppendReply);
  }

  /** This script does not try its commands before it writes: one that it may not run can be any of them. */
  async #storePlain(args: readonly (string | number)[]): Promise<AppendReply | null> {
    try {
      return (await this.#commands.run(scripts.plain, args)) as AppendReply | null;
    } catch (error) {
      if (!isUnfinished(error)) throw error;
      throw new LogError((error as LogError).message, "unknown", { cause: error });
    }
  }

  /** Any calls: for each, how many entries it has, and then each of them. */
  #argsOf(batch: readonly WitnessedCall[], queue: string): (string | number)[] {
    const args: (string | number)[] = [makeEpoch(), makeWitness(), this.#windowMs, queue, batch.length];
    for (const { call, witnesses } of batch) {
      args.push(numberOf(call), call.entries.length);
      for (const [index, entry] of call.entries.entries()) addEntry(entry, witnesses[index] as number, args);
    }
    return args;
  }

  /**
   * `WAIT` counts the replicas that have the last write of its own connection. The script, which writes something whatever its
   * outcome is, was sent on the same one: on a new connection, there is nothing to wait for, and every replica counts.
   */
  async #waitForReplicas(): Promise<void> {
    const { openings } = this.#commands;
    const count = Number(await this.#commands.send(["WAIT", String(this.#replicas), String(replicasTimeoutMs)]));
    const isSame = openings === this.#commands.openings;
    if (isSame && count >= this.#replicas) return;
    if (!isSame)
      throw mayRetry(new LogError("The connection to Redis was lost before replicas had confirmed", "unknown"));
    throw mayRetry(
      new LogError(
        `The primary has stored the entries, but only ${count} of ${this.#replicas} replicas have confirmed them`,
        "unknown",
      ),
    );
  }
}

/** A call, and a witness for each of its entries. */
interface WitnessedCall {
  readonly call: AppendCall;
  /** In the order of the entries. */
  readonly witnesses: readonly number[];
}

/**
 * Calls of one entry without options: their blocks, and the last entry of each channel. Without iterators, which an event that is
 * published now and then waits for: nothing of this is compiled then.
 */
function plainArgs(batch: readonly WitnessedCall[], queue: string, number: number): (string | number)[] {
  const blocks: (string | number)[] = [];
  const lasts = new Map<string, number>();
  let items: Item[] = [];
  let weight = 0;
  for (let index = 0; index < batch.length; index++) {
    const { call, witnesses } = batch[index] as WitnessedCall;
    const entry = call.entries[0] as NewEntry;
    const own = weightOf(entry);
    if (items.length === blockEntries || (items.length > 0 && weight + own > blockBytes)) {
      addBlock(items, weight, blocks);
      items = [];
      weight = 0;
    }
    items.push(itemOf(entry, witnesses[0] as number));
    weight += own;
    lasts.set(entry.channel, index + 1);
  }
  addBlock(items, weight, blocks);
  const args = [queue, number, number + batch.length - 1, blocks.length / 4].concat(blocks);
  lasts.forEach((last, channel) => void args.push(channel, last));
  return args;
}

/** Adds the arguments of one block. */
function addBlock(items: readonly Item[], weight: number, blocks: (string | number)[]): void {
  const [witness] = items.at(-1) as Item;
  blocks.push(items.length, weight, witness, JSON.stringify(items));
}

/** Outcomes from the answers of a script. */
function writtenOf(batch: readonly WitnessedCall[], epoch: string, answers: AppendReply[1]): Written {
  let top = 0;
  const outcomes = batch.map((witnessed, index) => {
    // Of a plain batch that is new, the offset of the first entry.
    const answer = Array.isArray(answers) ? answers[index] : Number(answers) + index;
    const outcome = outcomeOf(witnessed, epoch, answer as AnswerReply);
    if (!(outcome instanceof Error)) for (const { offset } of outcome) top = Math.max(top, offset);
    return outcome;
  });
  return { outcomes, top };
}

/** Entries that are all new are next to each other, so the offset of the first one is the whole answer. */
function outcomeOf({ call, witnesses }: WitnessedCall, epoch: string, answer: AnswerReply): AppendOutcome {
  if (typeof answer === "string") return refusal(call, answer);
  return call.entries.map((_, index): Appended => {
    const place = Array.isArray(answer) ? answer[index] : Number(answer) + index;
    if (typeof place === "string") return duplicate(epoch, place);
    return { epoch, offset: Number(place), witness: witnesses[index] as number };
  });
}

/** The number of a call in its queue. */
function numberOf({ id }: AppendCall): number {
  return Number(id.slice(id.lastIndexOf(".") + 1));
}

/** Whether a call is one entry about which nothing is to be decided. */
function isPlainCall({ entries }: AppendCall): boolean {
  const [entry] = entries;
  if (entry === undefined || entries.length > 1 || isEnd(entry)) return false;
  const { key, sender, idempotencyKey, after } = entry;
  return key === undefined && sender === undefined && idempotencyKey === undefined && after === undefined;
}

function isEnd({ type }: NewEntry): boolean {
  return type === "sse:end";
}

/** Most entries have none of the optional fields, so these are announced by bits and take no argument otherwise. */
function addEntry(entry: NewEntry, witness: number, args: (string | number)[]): void {
  const { channel, key, idempotencyKey, after } = entry;
  const item = JSON.stringify(itemOf(entry, witness));
  const position = args.push(0, channel, weightOf(entry), item) - 4;
  let found = isEnd(entry) ? flags.end : 0;
  const add = (flag: number, value: string | undefined): void => {
    if (value === undefined) return;
    found += flag;
    args.push(value);
  };
  // In the order in which the script reads them.
  add(flags.key, key);
  add(flags.idempotencyKey, idempotencyKey);
  add(flags.after, after && `${after.epoch} ${after.offset} ${after.witness}`);
  args[position] = witness * flagsRange + found;
}

/** `d<offset>-<witness>`, of the entry that was stored before. */
function duplicate(epoch: string, place: string): Appended {
  const [offset, witness] = place.slice(1).split("-");
  return { epoch, offset: Number(offset), witness: Number(witness), duplicate: true };
}

/** `c`, `c<last offset of the channel>`, or `s` for a call that a later one of this queue has overtaken. */
function refusal({ entries }: AppendCall, answer: string): Error {
  if (answer === "s") return new LogError("The call reached Redis after it had been given up", "unknown");
  const last = answer === "c" ? undefined : Number(answer.slice(1));
  // The script does not say which of several conditions failed. Most calls have one.
  const entry = entries.find(({ after }) => after !== undefined) as NewEntry;
  return conflict(entry, last);
}
