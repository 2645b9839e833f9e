// Entries as Redis returns them, and the head of the log as scripts return it.
import { LogError } from "../../base/errors.ts";
import type { Head, LogEntry } from "../../log/log.ts";

/** An entry of a stream: its id, and names and values in turn. */
export type StreamEntry = readonly [id: string, fields: readonly string[]];

/** As the scripts return it. */
export type HeadReply = readonly [
  epoch: string,
  top: number,
  witness: number,
  floor: number,
  floorWitness: number,
  clears: number,
];

/** The names of the fields are the same in every entry, and in this order: `scripts/prelude.ts`. */
const firstFields = ["c", "t", "k", "s", "p", "a", "d"];

/** @throws {LogError} for an entry that no script of the log has written. */
export function entryOf(entry: StreamEntry): LogEntry {
  const [id, fields] = entry;
  // By position and not by name: a page has a thousand entries.
  const dash = id.indexOf("-");
  if (fields.length !== firstFields.length * 2 || fields[0] !== "c") throw foreignEntry(id, fields);
  const key = fields[5] as string;
  const sender = fields[7] as string;
  return {
    offset: Number(id.slice(0, dash)),
    witness: Number(id.slice(dash + 1)),
    previousWitness: Number(fields[9]),
    time: Number(fields[11]),
    channel: fields[1] as string,
    type: fields[3] as string,
    data: fields[13] as string,
    // Each begins with a letter, so that an empty text differs from none.
    key: key === "" ? undefined : key.slice(1),
    sender: sender === "" ? undefined : sender.slice(1),
  };
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
