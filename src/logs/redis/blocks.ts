// Blocks: entries as Redis stores them, several in one entry of the stream. And the head of the log as scripts return it.
import { LogError } from "../../base/errors.ts";
import type { Head, LogEntry, NewEntry } from "../../log/log.ts";

/** Most entries of a block, and most bytes of one that has several: what is removed or read for one of them stays small. */
export const blockEntries = 64;
export const blockBytes = 65_536;

/**
 * An entry of the stream. The id is `<offset>-<witness>` of the last entry. The fields are `h`, with the witness before the first
 * entry, the time, and three numbers for the scripts; and `e`, with the entries in JSON.
 *
 * A stream takes each field as an argument and each argument costs: a burst in blocks takes Redis a quarter of the time.
 */
export type StreamBlock = readonly [id: string, fields: readonly string[]];

/** An entry in JSON. The last two are there if one of them is. */
export type Item = readonly [
  witness: number,
  channel: string,
  type: string,
  data: string,
  key?: string | null,
  sender?: string | null,
];

/** As the scripts return it. */
export type HeadReply = readonly [
  epoch: string,
  top: number,
  witness: number,
  floor: number,
  floorWitness: number,
  clears: number,
];

/**
 * An entry as a block has it.
 *
 * @param witness That of this entry.
 */
export function itemOf({ channel, type, data, key, sender }: NewEntry, witness: number): Item {
  // Half of a pair is not text: Redis would refuse to read it.
  const item = [witness, channel.toWellFormed(), type.toWellFormed(), data.toWellFormed()] as const;
  if (key === undefined && sender === undefined) return item;
  return [...item, key?.toWellFormed() ?? null, sender?.toWellFormed() ?? null];
}

/**
 * The entries of a block, oldest first: all of them, also those that retention has removed from the log.
 *
 * @throws {LogError} for a block that no script of the log has written.
 */
export function entriesOf([id, fields]: StreamBlock): LogEntry[] {
  if (fields.length !== 4 || fields[0] !== "h" || fields[2] !== "e") throw foreignEntry(id, fields);
  const [previous, time] = (fields[1] as string).split(" ");
  const items = JSON.parse(fields[3] as string) as readonly Item[];
  const first = Number(id.slice(0, id.indexOf("-"))) - items.length + 1;
  // Only the first one is stored with the witness of its predecessor.
  let previousWitness = Number(previous);
  return items.map(([witness, channel, type, data, key, sender], index): LogEntry => {
    const entry = {
      offset: first + index,
      witness,
      previousWitness,
      time: Number(time),
      channel,
      type,
      data,
      key: key ?? undefined,
      sender: sender ?? undefined,
    };
    previousWitness = witness;
    return entry;
  });
}

/** Some clients return integers as text. */
export function headOf([epoch, top, witness, floor, floorWitness]: HeadReply): Head {
  return {
    epoch,
    top: Number(top),
    witness: Number(witness),
    floor: { offset: Number(floor), witness: Number(floorWitness) },
  };
}

/** How many channels were cleared in this epoch. */
export function clearsOf(reply: HeadReply): number {
  return Number(reply[5]);
}

/** Names the fields, by which an operator recognizes the program that wrote them; never their values. */
function foreignEntry(id: string, fields: readonly string[]): LogError {
  return new LogError(
    `The entry ${id} of the stream has the fields ${JSON.stringify(fields.filter((_, i) => i % 2 === 0))}, so another program ` +
      "writes to it; use another key for the log",
    false,
  );
}
