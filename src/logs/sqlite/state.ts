// Where the log stands, read once in each transaction.
import type { Head } from "../../log/log.ts";
import type { SqlConnection, Statement } from "./connection.ts";
import { schemaVersion, unsupported } from "./schema.ts";

/** The state of the log as a transaction finds it. */
export interface LogState {
  readonly epoch: string;
  /** Witness of the position 0, at which a client of an empty log stands. */
  readonly origin: number;
  /** Every entry up to this offset was removed by retention, except the newest of each key. */
  readonly trimmed: number;
  readonly trimmedWitness: number;
  readonly trimmedWeight: number;
  /** Up to here entries may be missing from channels of which nothing is known. */
  readonly forgotten: number;
  readonly clockCorrection: number;
  /** Offset of the newest entry, 0 when there is none; and its witness, weight and log time. */
  readonly top: number;
  readonly topWitness: number;
  readonly topWeight: number;
  readonly topLogTime: number;
}

/**
 * One statement for all of it, run first in nearly every transaction. The newest entry is found from the end of the
 * primary key. It is the head of the log even when it is beyond a limit, since retention never removes it.
 */
export class StateReader {
  readonly #connection: SqlConnection;
  readonly #select: Statement<Record<string, number> & { epoch: string }>;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
    this.#select = connection.prepare(
      `SELECT version, epoch, origin_witness, clock_correction, trimmed_offset, trimmed_witness, trimmed_weight,
         forgotten_offset, offset, witness, total_weight, log_time
       FROM sse_log LEFT JOIN sse_entry ON offset = (SELECT max(offset) FROM sse_entry)`,
    );
  }

  /** @throws {SourcecastError} when another version of the package has changed the tables since this log was opened. */
  read(): LogState {
    // Another process may have migrated the tables after this one prepared its statements for the older version.
    const row = this.#select.get();
    const version = Number(row?.version);
    if (row == null || version !== schemaVersion) throw unsupported(this.#connection, version);
    return {
      epoch: row.epoch,
      origin: Number(row.origin_witness),
      trimmed: Number(row.trimmed_offset),
      trimmedWitness: Number(row.trimmed_witness),
      trimmedWeight: Number(row.trimmed_weight),
      forgotten: Number(row.forgotten_offset),
      clockCorrection: Number(row.clock_correction),
      top: Number(row.offset ?? 0),
      topWitness: Number(row.witness ?? row.origin_witness),
      topWeight: Number(row.total_weight ?? 0),
      topLogTime: Number(row.log_time ?? 0),
    };
  }
}

export function headOf({ epoch, top, topWitness, trimmed, trimmedWitness }: LogState): Head {
  return { epoch, top, witness: topWitness, floor: { offset: trimmed, witness: trimmedWitness } };
}
