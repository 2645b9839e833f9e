// Entries as rows.
import type { LogEntry } from "../../log/log.ts";
import type { SqlConnection, Statement } from "./connection.ts";

/** Reads whole entries by their offsets. */
export class EntryRows {
  readonly #of: Statement<EntryRow>;

  constructor(connection: SqlConnection) {
    // One statement for any number of offsets, whatever SQLite's limit on parameters. SQLite never reorders a CROSS JOIN
    // (https://sqlite.org/optoverview.html), so the rows come in the order of the offsets.
    this.#of = connection.prepare(
      `SELECT ${entryColumns(connection)} FROM (SELECT value AS place FROM json_each(?)) CROSS JOIN sse_entry ON offset = place`,
    );
  }

  /** In the order of the offsets given. */
  at(offsets: readonly number[]): LogEntry[] {
    return offsets.length === 0 ? [] : this.#of.all(JSON.stringify(offsets)).map(entryOf);
  }
}

/** The columns of an entry, as {@link entryOf} takes them. */
export function entryColumns(connection: SqlConnection): string {
  const probe = connection.prepare<{ text: string }>("SELECT 'a' || char(0) || 'b' AS text").get();
  // Node 22 cuts text off at a NUL; Node 24 does not (seen with 22.23.3 and 24.21.0). Where it does, such text is read as bytes.
  const text = (column: string) =>
    probe?.text.length === 3
      ? column
      : `CASE WHEN instr(${column}, char(0)) THEN CAST(${column} AS BLOB) ELSE ${column} END AS ${column}`;
  // A channel's name has no NUL in it.
  return `offset, witness, previous_witness, time, channel, ${["type", "data", "key", "sender"].map(text).join(", ")}`;
}

/** Bytes only where the driver would cut the text off at a NUL. */
type Text = string | Uint8Array;

export interface EntryRow {
  offset: number;
  witness: number;
  previous_witness: number;
  time: number;
  channel: string;
  type: Text;
  data: Text;
  key: Text | null;
  sender: Text | null;
}

/** Numbers are converted: an application's own database may return integers as `bigint`. */
export function entryOf(row: EntryRow): LogEntry {
  return {
    offset: Number(row.offset),
    witness: Number(row.witness),
    previousWitness: Number(row.previous_witness),
    time: Number(row.time),
    channel: row.channel,
    type: textOf(row.type),
    data: textOf(row.data),
    key: row.key === null ? undefined : textOf(row.key),
    sender: row.sender === null ? undefined : textOf(row.sender),
  };
}

/** `ignoreBOM` keeps a U+FEFF at the beginning: it is part of the data that was published. */
function textOf(value: Text): string {
  return typeof value === "string" ? value : new TextDecoder("utf-8", { ignoreBOM: true }).decode(value);
}
