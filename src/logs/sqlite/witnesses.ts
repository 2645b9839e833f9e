// Witnesses of trimmed entries, kept longer than the entries, so that a client of a quiet channel that was away for a while
// is not told of a loss because its last entry is gone.
import type { SqlConnection, Statement } from "./connection.ts";

/** Witnesses of one row: a kilobyte, of which a page of the database holds three. */
const witnessesPerBlock = 256;
const bytesPerWitness = 4;
/** Rows in all: 16 million witnesses, 64 MB. */
const maxBlocks = 62_500;
/** Rows that one transaction removes. */
const blocksPerSlice = 500;

/** The offset and the witness of an entry. */
export interface WitnessAt {
  readonly offset: number;
  readonly witness: number;
}

/**
 * The table `sse_witness`. Block 0 has the witnesses of offsets 1 to 256, and so on; 0 stands for one that is not known. A
 * block is as old as its newest witness, counted from when that was trimmed.
 */
export class StoredWitnesses {
  readonly #block: Statement<{ hex: string }>;
  readonly #store: Statement;
  readonly #at: Statement<{ hex: string }>;
  readonly #expired: Statement;
  readonly #forget: Statement;

  constructor(connection: SqlConnection) {
    // As hexadecimal text: drivers disagree on what a BLOB is read as.
    this.#block = connection.prepare("SELECT hex(witnesses) AS hex FROM sse_witness WHERE block = ?");
    this.#store = connection.prepare("INSERT OR REPLACE INTO sse_witness VALUES (?, ?, ?)");
    this.#at = connection.prepare(
      `SELECT hex(substr(witnesses, ?, ${bytesPerWitness})) AS hex FROM sse_witness WHERE block = ?`,
    );
    const isOver = `log_time <= ? OR block <= (SELECT max(block) FROM sse_witness) - ${maxBlocks}`;
    // Blocks are in the order of their times, so only the oldest have to be checked.
    this.#expired = connection.prepare(
      `SELECT 1 FROM sse_witness WHERE block = (SELECT min(block) FROM sse_witness) AND (${isOver})`,
    );
    this.#forget = connection.prepare(
      `DELETE FROM sse_witness WHERE block < (SELECT min(block) FROM sse_witness) + ${blocksPerSlice} AND (${isOver})`,
    );
  }

  /** The witness of a trimmed entry, `undefined` when it is not known. */
  at(offset: number): number | undefined {
    const hex = this.#at.get(placeOf(offset) * bytesPerWitness + 1, blockOf(offset))?.hex ?? "";
    const witness = Number.parseInt(hex, 16);
    return hex.length === bytesPerWitness * 2 && witness !== 0 ? witness : undefined;
  }

  /** Adds what is trimmed, in the order of offsets. */
  add(trimmed: readonly WitnessAt[], logTime: number): void {
    // One row is written for each block and not for each witness: 500 trimmed entries touch three rows at most.
    for (let start = 0; start < trimmed.length; ) {
      const block = blockOf((trimmed[start] as WitnessAt).offset);
      let end = start + 1;
      while (end < trimmed.length && blockOf((trimmed[end] as WitnessAt).offset) === block) end++;
      this.#extend(block, trimmed.slice(start, end), logTime);
      start = end;
    }
  }

  /** Whether there is something to forget. */
  isOver(before: number): boolean {
    return this.#expired.get(before) != null;
  }

  /** Forgets what was trimmed up to a moment, and what is over the bound. */
  forget(before: number): void {
    this.#forget.run(before);
  }

  #extend(block: number, added: readonly WitnessAt[], logTime: number): void {
    // A slice of retention ends anywhere in a block, so a block is completed by later ones. Offsets between that were
    // never added remain 0: not known.
    const known = this.#block.get(block)?.hex ?? "";
    const end = placeOf((added.at(-1) as WitnessAt).offset) + 1;
    const bytes = new Uint8Array(Math.max(end * bytesPerWitness, known.length / 2));
    for (let i = 0; i < known.length / 2; i++) bytes[i] = Number.parseInt(known.slice(i * 2, i * 2 + 2), 16);
    const view = new DataView(bytes.buffer);
    for (const { offset, witness } of added) view.setUint32(placeOf(offset) * bytesPerWitness, witness);
    this.#store.run(block, logTime, bytes);
  }
}

function blockOf(offset: number): number {
  return Math.floor((offset - 1) / witnessesPerBlock);
}

/** Offsets begin at 1, places in a block at 0. */
function placeOf(offset: number): number {
  return (offset - 1) % witnessesPerBlock;
}
