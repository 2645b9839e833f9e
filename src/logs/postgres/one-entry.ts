// A tick with one plain entry, which most ticks are: it has a function of its own, with a short request and a short answer.
import type { AppendCall, AppendOutcome } from "../../log/append-queue.ts";
import { makeWitness } from "../../log/identity.ts";
import type { LogEntry, NewEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import type { Attempts, FirstAttempt, Known } from "./attempts.ts";
import { type Answer, type AppendRequest, keyError, lateError, numberOf, placeOf } from "./batch.ts";
import { againCasts, firstCasts } from "./columns.ts";
import type { Parameter } from "./connection.ts";
import { encodeText } from "./text.ts";

/** The answer of `append_one`, in the epoch that the process knows. Where more was to be decided, the answer is that of `append`. */
type Placed = readonly [offset: number, previousWitness: number, time: number];

/**
 * The request of the only call, `undefined` for calls that need another function: with several entries, keys or conditions, and
 * without a position after which the server could look for an earlier attempt, see `schema/append-one.ts`.
 */
export function oneEntryOf(calls: readonly AppendCall[], attempts: Attempts): AppendRequest | undefined {
  const [call] = calls as [AppendCall];
  const [entry] = call.entries as [NewEntry];
  if (calls.length > 1 || call.entries.length > 1) return undefined;
  const { key, idempotencyKey, after } = entry;
  if (key !== undefined || idempotencyKey !== undefined || after !== undefined) return undefined;
  if (keyError(entry) !== undefined) return undefined;
  const kept = attempts.of(call);
  const since = call.attempt === 1 ? attempts.known : (kept?.since ?? null);
  // A first attempt leaves no receipt.
  if (since === null || (call.attempt === 1 && attempts.needReceipt)) return undefined;
  return new OneEntry(attempts, call, entry, { witnesses: kept?.witnesses ?? [makeWitness()], since });
}

/** A first attempt of a process that knew a position. */
type Placeable = FirstAttempt & { readonly since: Known };

/** Its parts are those of the call: nothing is collected, and nothing is to be found again in the answer. */
class OneEntry implements AppendRequest {
  /** A call that cannot be stored is not one of these. */
  readonly isEmpty = false;
  readonly #attempts: Attempts;
  readonly #call: AppendCall;
  readonly #entry: NewEntry;
  /** This attempt, or the one before it. */
  readonly #first: Placeable;

  constructor(attempts: Attempts, call: AppendCall, entry: NewEntry, first: Placeable) {
    this.#attempts = attempts;
    this.#call = call;
    this.#entry = entry;
    this.#first = first;
  }

  statement(member: string): { name: string; casts: readonly string[]; parameters: Parameter[] } {
    const { channel, type, data, sender } = this.#entry;
    const { witnesses, since } = this.#first;
    const parameters = [
      member,
      String(numberOf(this.#call)),
      encodeText(channel),
      encodeText(type),
      encodeText(data),
      sender === undefined ? null : encodeText(sender),
      String(witnesses[0]),
      String(weightOf(this.#entry)),
    ];
    // A first attempt has no earlier one to look for.
    if (this.#call.attempt === 1) {
      return { name: "append_one", casts: firstCasts, parameters: [...parameters, since.epoch] };
    }
    const position = [String(since.offset), String(since.witness)];
    return { name: "append_again", casts: againCasts, parameters: [...parameters, ...position] };
  }

  /** Later attempts have kept the first one already. */
  keep(): void {
    if (this.#call.attempt === 1) this.#attempts.keep(this.#call, this.#first);
  }

  read(answer: unknown, hasTails: boolean): { epoch: string; outcomes: AppendOutcome[]; entries: LogEntry[] } {
    if (Array.isArray(answer)) return this.#placed(this.#first.since.epoch, answer as unknown as Placed, hasTails);
    const { epoch, calls, results } = answer as Answer;
    const found = placeOf(numberOf(this.#call), calls);
    // The answer is that to later calls, so this attempt came too late to be stored.
    if (found === undefined) return { epoch, outcomes: [lateError()], entries: [] };
    const [first = 0, before = 0, time = 0] = results[found.segment]?.placed ?? [];
    // For an entry after others of that answer, the witness is not that of its predecessor: tails take the offer as a hint to read.
    return this.#placed(epoch, [first + found.place, before, time], hasTails);
  }

  /** The outcome of a call that is stored. Tails get the entry at once, and need not read it. */
  #placed(epoch: string, [offset, previousWitness, time]: Placed, hasTails: boolean) {
    const [witness] = this.#first.witnesses as [number];
    const outcomes = [[{ epoch, offset, witness }]];
    if (!hasTails) return { epoch, outcomes, entries: [] };
    const { channel, type, data, key, sender } = this.#entry;
    return { epoch, outcomes, entries: [{ offset, witness, previousWitness, time, channel, type, data, key, sender }] };
  }
}
