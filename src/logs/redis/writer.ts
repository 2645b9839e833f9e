// Appends the calls of one tick with one call of a script.
import { LogError } from "../../base/errors.ts";
import type { AppendCall, AppendOutcome } from "../../log/append-queue.ts";
import { conflict } from "../../log/errors.ts";
import { makeEpoch, makeWitness } from "../../log/identity.ts";
import type { Appended, NewEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { isEnd, numberOf, queueOf, type WitnessedCall } from "./batch.ts";
import { itemOf } from "./blocks.ts";
import { type Commands, Script } from "./commands.ts";
import { isUnfinished, mayRetry } from "./errors.ts";
import { type FirstPlace, firstPlaceOf, plainRunOf } from "./plain-calls.ts";
import { appendScript } from "./scripts/append.ts";

const script = new Script(appendScript);

/** How long `WAIT` waits for replicas before the queue tries again, in milliseconds. */
const replicasTimeoutMs = 2_000;

/** As the script returns it for each call. */
type AnswerReply = number | string | readonly (number | string)[];
type AppendReply = readonly [epoch: string, answers: readonly AnswerReply[]];

/** Bits of an entry's first argument, next to its witness. */
const flags = { key: 1, idempotencyKey: 2, after: 4, end: 8 } as const;
const flagsRange = 16;

/**
 * Turns calls into the arguments of the script, and its answer into outcomes. The script decides everything: which offset an
 * entry gets, whether its key is known, whether its condition holds.
 */
export class Writer {
  readonly #commands: Commands;
  readonly #windowMs: number;
  readonly #replicas: number;
  readonly #context: WriterContext;
  /**
   * Of calls whose attempt failed: an entry that is sent again has the witness with which it may be stored already. Not of all calls:
   * in a burst, a weak map takes a third of the publisher's time.
   */
  readonly #witnesses = new WeakMap<AppendCall, readonly number[]>();

  /**
   * @param windowMs How long an idempotency key is recognized.
   * @param replicas How many replicas must have an entry before it counts as stored.
   */
  constructor(commands: Commands, windowMs: number, replicas: number, context: WriterContext) {
    this.#commands = commands;
    this.#windowMs = windowMs;
    this.#replicas = replicas;
    this.#context = context;
  }

  /** @throws {LogError} when no outcome is known. The same calls can be stored again: the script recognizes them. */
  async append(calls: readonly AppendCall[]): Promise<readonly AppendOutcome[]> {
    const batch: WitnessedCall[] = [];
    for (let index = 0; index < calls.length; index++) batch.push(this.#witnessed(calls[index] as AppendCall));
    let plain = plainRunOf(batch);
    try {
      const first = plain && firstPlaceOf(await this.#commands.runNumbered(plain.script, plain.number, plain.args));
      plain = null;
      const outcomes =
        first === null
          ? outcomesOf(batch, (await this.#commands.run(script, this.#argsOf(batch))) as AppendReply)
          : plainOutcomesOf(batch, first);
      if (this.#replicas > 0) await this.#waitForReplicas();
      this.#context.onStored(topOf(outcomes));
      return outcomes;
    } catch (error) {
      for (const { call, witnesses } of batch) this.#witnesses.set(call, witnesses);
      if (!isUnfinished(error)) throw error;
      this.#context.onUnfinished();
      // The scripts for plain calls do not try their commands before they write: one that they may not run can be any of them.
      throw plain === null ? error : new LogError((error as LogError).message, "unknown", { cause: error });
    }
  }

  /** Witnesses are made here and not by the script, which returns less then. */
  #witnessed(call: AppendCall): WitnessedCall {
    const known = call.attempt > 1 ? this.#witnesses.get(call) : undefined;
    if (known !== undefined) return { call, witnesses: known };
    return { call, witnesses: call.entries.length === 1 ? [makeWitness()] : call.entries.map(makeWitness) };
  }

  /** Any calls: for each, how many entries it has, and then each of them. */
  #argsOf(batch: readonly WitnessedCall[]): (string | number)[] {
    const [first] = batch as [WitnessedCall];
    const args: (string | number)[] = [makeEpoch(), makeWitness(), this.#windowMs, queueOf(first.call), batch.length];
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

/** Outcomes of plain calls, all of which are new. */
function plainOutcomesOf(batch: readonly WitnessedCall[], { epoch, offset }: FirstPlace): AppendOutcome[] {
  const outcomes: AppendOutcome[] = [];
  for (let index = 0; index < batch.length; index++) {
    const { witnesses } = batch[index] as WitnessedCall;
    outcomes.push([{ epoch, offset: offset + index, witness: witnesses[0] as number }]);
  }
  return outcomes;
}

/** Outcomes from the answers of the script for all kinds of calls. */
function outcomesOf(batch: readonly WitnessedCall[], [epoch, answers]: AppendReply): AppendOutcome[] {
  return batch.map((witnessed, index) => outcomeOf(witnessed, epoch, answers[index] as AnswerReply));
}

/** The highest offset of all calls that were stored, 0 when none was. */
function topOf(outcomes: readonly AppendOutcome[]): number {
  let top = 0;
  for (let index = 0; index < outcomes.length; index++) {
    const outcome = outcomes[index] as AppendOutcome;
    if (!(outcome instanceof Error)) for (const { offset } of outcome) top = Math.max(top, offset);
  }
  return top;
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

/** The part of a log that a {@link Writer} uses. */
export interface WriterContext {
  /** Calls were stored, or had been before, up to this offset; 0 when none was. */
  onStored(top: number): void;
  /** A script may have ended in the middle, because a right was taken away. */
  onUnfinished(): void;
}
