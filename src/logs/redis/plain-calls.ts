// Calls of one entry without options, which most are: the arguments and the answer of their script.
import type { AppendCall } from "../../log/append-queue.ts";
import type { NewEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { isEnd, numberOf, queueOf, type WitnessedCall } from "./batch.ts";
import { blockBytes, blockEntries, type Item, itemOf } from "./blocks.ts";
import { Script } from "./commands.ts";
import { plainKeys, plainScript } from "./scripts/plain.ts";

const script = new Script(plainScript, { keys: plainKeys, isNumbered: true });

/** A script that appends a batch, the number of its call, and its arguments. */
interface PlainRun {
  readonly script: Script;
  readonly number: string;
  readonly args: readonly string[];
}

/** Where the script has put the first entry; the others follow it. */
export interface FirstPlace {
  readonly epoch: string;
  readonly offset: number;
}

/**
 * `null` unless all calls of the batch are plain. Without iterators, which an event that is published now and then waits for:
 * nothing of this is compiled then.
 */
export function plainRunOf(batch: readonly WitnessedCall[]): PlainRun | null {
  const [first] = batch;
  if (first === undefined) return null;
  const number = numberOf(first.call);
  for (let index = 0; index < batch.length; index++) {
    const { call } = batch[index] as WitnessedCall;
    // A call that was given up leaves a hole among the numbers.
    if (!isPlain(call) || (index > 0 && numberOf(call) !== number + index)) return null;
  }
  const opening = `${number} q:${queueOf(first.call)}`;
  const args =
    batch.length === 1 ? argsOfOne(first, opening) : argsOfMany(batch, `${opening} ${number + batch.length - 1}`);
  return { script, number: String(number), args };
}

/** `null` when the script has left the calls to the one for all kinds of them. */
export function firstPlaceOf(reply: unknown): FirstPlace | null {
  if (reply === "") return null;
  const [epoch = "", offset] = String(reply).split(" ");
  return { epoch, offset: Number(offset) };
}

function argsOfOne({ call, witnesses }: WitnessedCall, opening: string): string[] {
  const entry = call.entries[0] as NewEntry;
  const witness = witnesses[0] as number;
  return [`${opening} ${weightOf(entry)} ${witness} ${entry.channel}`, JSON.stringify([itemOf(entry, witness)])];
}

/** The blocks of several calls, and the last entry of each channel. */
function argsOfMany(batch: readonly WitnessedCall[], opening: string): string[] {
  const blocks: string[] = [];
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
  const args = [`${opening} ${blocks.length / 4} `].concat(blocks);
  lasts.forEach((last, channel) => void args.push(channel, String(last)));
  return args;
}

/** Adds the arguments of one block. */
function addBlock(items: readonly Item[], weight: number, blocks: string[]): void {
  const [witness] = items.at(-1) as Item;
  blocks.push(String(items.length), String(weight), String(witness), JSON.stringify(items));
}

/** Whether a call is one entry about which nothing is to be decided. */
function isPlain({ entries }: AppendCall): boolean {
  const [entry] = entries;
  if (entry === undefined || entries.length > 1 || isEnd(entry)) return false;
  const { key, sender, idempotencyKey, after } = entry;
  return key === undefined && sender === undefined && idempotencyKey === undefined && after === undefined;
}
