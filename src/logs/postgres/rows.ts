// Entries and heads in the answers of the database.
import type { Head, LogEntry } from "../../log/log.ts";
import { decodeText } from "./text.ts";

/** The columns of an entry, as the functions of the schema return them. */
export type EntryRow = readonly [
  offset: number,
  witness: number,
  previousWitness: number,
  time: number,
  channel: string,
  type: string,
  data: string,
  key: string | null,
  sender: string | null,
];

/** A row as an entry of the contract, with its text as it was published. */
export function entryOf([
  offset,
  witness,
  previousWitness,
  time,
  channel,
  type,
  data,
  key,
  sender,
]: EntryRow): LogEntry {
  return {
    offset,
    witness,
    previousWitness,
    time,
    channel: decodeText(channel),
    type: decodeText(type),
    data: decodeText(data),
    // The contract has no `null`.
    key: key === null ? undefined : decodeText(key),
    sender: sender === null ? undefined : decodeText(sender),
  };
}

/** The head, and whether a replica answered. */
export interface HeadRow extends Head {
  /** The server is in recovery: what it says may be out of date. */
  readonly replica: boolean;
}

/** @throws {LogError} for the answer of a replica, which may lag. */
export function headOf({ epoch, top, witness, floor, replica }: HeadRow): Head {
  if (!replica) return { epoch, top, witness, floor };
  // As the server itself does for a statement that writes, so that the failure is treated in the same way.
  throw Object.assign(new Error("the server is in recovery"), { code: "25006" });
}
