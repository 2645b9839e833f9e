import type { LogEntry, Position } from "../../../src/log/log.ts";
import { type RetentionLimits, weightOf } from "../../../src/log/retention.ts";
import { formatCursor } from "../../../src/wire/cursor.ts";

/** An entry that the log has accepted at some time. */
export interface Accepted extends LogEntry {
  readonly epoch: string;
  readonly cursor: string;
  /** How many entries were accepted before it, in all epochs. */
  readonly order: number;
  /** The entry before it, with those before that: a tail that was lost and written again is another branch. */
  readonly before: Accepted | null;
  /** A later entry of the same channel and key was accepted after it. */
  superseded: boolean;
}

/** The log at some time. */
export interface RecordCopy {
  readonly epoch: string;
  readonly tip: Accepted | null;
  readonly floor: number;
}

/** All that was ever accepted, lost and trimmed, whoever has seen it: what clients are judged by. */
export class Record {
  epoch = "";
  /** The newest entry of the log as it is. */
  tip: Accepted | null = null;
  readonly all: Accepted[] = [];
  /** Changes whenever entries disappear: a tail was lost, or all of them. */
  version = 0;
  readonly #limits: RetentionLimits;
  readonly #byCursor = new Map<string, Accepted>();
  readonly #byData = new Map<string, Accepted>();
  #floor = 0;
  #highestFloor = 0;
  /** Of each epoch, the witness of its origin. */
  readonly #origins = new Map<string, number>();

  constructor(limits: RetentionLimits) {
    this.#limits = limits;
  }

  get top(): number {
    return this.tip?.offset ?? 0;
  }

  /** Everything up to here has been trimmed. */
  get floor(): number {
    return this.#floor;
  }

  /** The highest floor of this epoch, whatever was restored since. */
  get highestFloor(): number {
    return this.#highestFloor;
  }

  begin(epoch: string, origin: number): void {
    this.#origins.set(epoch, origin);
    this.epoch = epoch;
    this.tip = null;
    this.#floor = 0;
    this.#highestFloor = 0;
    this.version++;
  }

  add(entry: LogEntry): void {
    const cursor = formatCursor({ epoch: this.epoch, offset: entry.offset, witness: entry.witness });
    const order = this.all.length;
    const accepted = { ...entry, epoch: this.epoch, cursor, order, before: this.tip, superseded: false };
    if (entry.key !== undefined) {
      const older = this.find((other) => other.channel === entry.channel && other.key === entry.key);
      if (older !== null) older.superseded = true;
    }
    this.tip = accepted;
    this.all.push(accepted);
    this.#byCursor.set(cursor, accepted);
    if (entry.type !== "sse:end") this.#byData.set(entry.data, accepted);
    this.#trim();
  }

  /** The log has lost its newest entries. */
  lose(count: number): void {
    // The newest retained entry stays.
    const top = Math.min(this.top, Math.max(this.#floor === 0 ? 0 : this.#floor + 1, this.top - count));
    while (this.top > top) this.tip = (this.tip as Accepted).before;
    this.version++;
  }

  /** The entries after an offset are lost. */
  cut(top: number): void {
    while (this.top > top) this.tip = (this.tip as Accepted).before;
    this.version++;
  }

  /** Everything up to an offset was trimmed, by a log that decides itself when. */
  trimTo(offset: number): void {
    this.#floor = Math.max(this.#floor, offset);
    this.#highestFloor = Math.max(this.#highestFloor, this.#floor);
  }

  /** A copy for {@link restore}. */
  copy(): RecordCopy {
    return { epoch: this.epoch, tip: this.tip, floor: this.#floor };
  }

  /** The log is as it was when the copy was taken. */
  restore({ tip, floor }: RecordCopy): void {
    this.tip = tip;
    this.#floor = floor;
    this.version++;
  }

  byCursor(cursor: string): Accepted | undefined {
    return this.#byCursor.get(cursor);
  }

  byData(data: string): Accepted | undefined {
    return this.#byData.get(data);
  }

  /** The newest entry of the log for which `condition` holds, at or before `from`. */
  find(condition: (entry: Accepted) => boolean, from: Accepted | null = this.tip): Accepted | null {
    let entry = from;
    while (entry !== null && !condition(entry)) entry = entry.before;
    return entry;
  }

  /** The entries of a branch after `after`, oldest first. */
  branch(after: number, tip: Accepted | null = this.tip): Accepted[] {
    const entries: Accepted[] = [];
    for (let entry = tip; entry !== null && entry.offset > after; entry = entry.before) entries.push(entry);
    return entries.reverse();
  }

  /** Whether a position is one of a branch. */
  isOn({ epoch, offset, witness }: Position, tip: Accepted | null): boolean {
    if (offset > (tip?.offset ?? 0)) return false;
    if (offset === 0) return witness === this.#origins.get(epoch);
    return this.find((entry) => entry.offset <= offset, tip)?.witness === witness;
  }

  /** The offset up to which a position and the log as it is have the same past. */
  commonWith(position: Position): number {
    if (position.epoch !== this.epoch) return 0;
    if (this.isOn(position, this.tip)) return position.offset;
    const mine = this.byCursor(formatCursor(position)) ?? null;
    const shared = this.find((entry) => this.find((other) => other === entry) !== null, mine);
    return shared?.offset ?? 0;
  }

  #trim(): void {
    const retained = this.branch(this.#floor);
    let weight = retained.reduce((sum, entry) => sum + weightOf(entry), 0);
    while (retained.length > 1 && (retained.length > this.#limits.events || weight > this.#limits.bytes)) {
      const oldest = retained.shift() as Accepted;
      weight -= weightOf(oldest);
      this.#floor = oldest.offset;
      this.#highestFloor = Math.max(this.#highestFloor, this.#floor);
    }
  }
}
