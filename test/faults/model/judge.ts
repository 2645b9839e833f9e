import type { Position } from "../../../src/log/log.ts";
import { parseCursor } from "../../../src/wire/cursor.ts";
import type { RecordedEvent } from "../../support/recorder.ts";
import type { Dues } from "./dues.ts";
import type { Accepted, Record } from "./record.ts";

/** Something that must not happen. */
export class Violation extends Error {}

/** Entries past the last position that the client knows, until it learns the next one. */
interface Since {
  /** Losses up to this offset were declared. */
  declared: number;
  /** The stream was declared not to follow on anything before. */
  isReset: boolean;
  /** The stream was declared possibly not to follow on anything before. */
  isUnverified: boolean;
  /** The next position must come with the values that channels keep, of entries past this offset; -1 for none. */
  valuesDue: number;
  /** The oldest snapshot that came; -1 for none. */
  snapshot: number;
  /** The values that came. */
  readonly values: Set<Accepted>;
}

/**
 * Judges the events of one client by the accepted ones: delivered and declared together are what was published for it,
 * in order, without duplicates, and without anything that it may not see. It uses the position that the client holds,
 * the one that it would send as its `Last-Event-ID`.
 */
export class Judge {
  readonly #dues: Dues;
  readonly #record: Record;
  readonly #tolerance: Tolerance;
  #position: Position | null = null;
  #lastEventId = "";
  /** The position was one of the log when the client came with it, or was given it. */
  #wasRight = false;
  #since: Since = nothingSince(-1);
  /** How the record stood when the connection was opened. */
  #opened = { version: 0, order: 0 };

  constructor(dues: Dues, record: Record, tolerance: Tolerance) {
    this.#dues = dues;
    this.#record = record;
    this.#tolerance = tolerance;
  }

  /** The client connects, and says that this was its last event. */
  connect(lastEventId: string): void {
    this.#hold(parseCursor(lastEventId), lastEventId);
    this.#opened = { version: this.#record.version, order: this.#record.all.length };
    this.#since = nothingSince(lastEventId === "" ? 0 : -1);
  }

  /** @param label The channel that the event names. */
  hear(event: RecordedEvent, label: string | undefined): void {
    const { type, data, lastEventId } = event;
    const isMoved = lastEventId !== this.#lastEventId;
    const moving = isMoved ? this.#record.byCursor(lastEventId) : undefined;
    if (type === "sse:gap") this.#hearGap(JSON.parse(data));
    else if (type === "sse:reset") this.#hearReset(JSON.parse(data).reason);
    else if (type === "sse:end") this.#hearEnd(JSON.parse(data), moving);
    else if (type === "snapshot") this.#hearSnapshot(Number(data));
    else if (type !== "sse:checkpoint" && type !== "sse:later") this.#hearEntry(event, moving, label);
    const isEntry = !type.startsWith("sse:") || (type === "sse:end" && moving !== undefined);
    if (isMoved) this.#move(lastEventId, isEntry ? (moving ?? null) : null);
  }

  /** Bytes without an event were read: an `id` alone moves a client as well. */
  read(lastEventId: string): void {
    if (lastEventId !== this.#lastEventId) this.#move(lastEventId, null);
  }

  /** The stream announces that nothing follows, and tells the client to stop. */
  hearOver(): void {
    if (this.#record.version !== this.#opened.version) return;
    const isNew = (entry: Accepted): boolean => entry.order >= this.#opened.order;
    for (const channel of this.#dues.selection.channels) {
      if (this.#dues.isRejected(channel)) continue;
      const last = this.#record.find((entry) => entry.channel === channel);
      if (last === null || (last.type !== "sse:end" && !isNew(last))) {
        throw new Violation(`Told that nothing follows, but the channel "${channel}" has not ended`);
      }
    }
    this.#assertNothingOwed((entry) => !isNew(entry));
  }

  /** Everything was read, and nothing is under way. */
  settle(): void {
    if (this.#position === null) throw new Violation("The client was never told a position");
    this.#assertNothingOwed(() => true);
  }

  /** True for a position that the log has lost, and has not come to again. */
  get isAhead(): boolean {
    return (this.#position?.offset ?? 0) > this.#record.top;
  }

  /** True when there is nothing in the log that the client is still to get. */
  get isUpToDate(): boolean {
    return this.#position !== null && this.#owed().length === 0;
  }

  #owed(): Accepted[] {
    const common = this.#position === null ? 0 : this.#record.commonWith(this.#position);
    return this.#record.branch(common).filter((entry) => this.#dues.isOwed(entry));
  }

  #assertNothingOwed(condition: (entry: Accepted) => boolean): void {
    const owed = this.#owed().filter(condition);
    if (owed.length > 0) throw new Violation(`At ${this.#lastEventId}, and never got ${describe(owed)}`);
  }

  #hold(position: Position | null, lastEventId: string): void {
    const { epoch, tip } = this.#record;
    this.#position = position;
    this.#lastEventId = lastEventId;
    this.#wasRight = position !== null && position.epoch === epoch && this.#record.isOn(position, tip);
  }

  #hearEntry(
    { type, data, lastEventId }: RecordedEvent,
    moving: Accepted | undefined,
    label: string | undefined,
  ): void {
    const entry = this.#record.byData(data);
    if (entry && label !== (this.#dues.isLabeled ? entry.channel : undefined)) {
      throw new Violation(`Labeled "${label}": ${describe([entry])}`);
    }
    if (entry?.type !== type) throw new Violation(`An event that was never published: ${type} ${data.slice(0, 80)}`);
    if (this.#dues.isForbidden(entry)) throw new Violation(`Not for this client: ${describe([entry])}`);
    if (moving === entry) return;
    if (lastEventId !== this.#lastEventId || entry.key === undefined || this.#since.valuesDue === -1) {
      throw new Violation(`Twice or out of place: ${describe([entry])} with the id ${lastEventId}`);
    }
    this.#since.values.add(entry);
  }

  #hearEnd({ channel, reason }: { channel?: string; reason?: string }, moving: Accepted | undefined): void {
    if (reason !== undefined) return;
    const ends = this.#record.all.filter((entry) => entry.type === "sse:end" && entry.channel === channel);
    const isTrue = moving === undefined ? ends.length > 0 : ends.includes(moving);
    if (!isTrue || !this.#dues.selects(channel ?? ""))
      throw new Violation(`An end of "${channel}" that never happened`);
  }

  #hearSnapshot(offset: number): void {
    const { valuesDue, snapshot, declared } = this.#since;
    // On a labeled stream each channel has its own: the stream continues after the oldest of them.
    const isFirst = snapshot === -1;
    if (isFirst ? valuesDue === -1 : !this.#dues.isLabeled) throw new Violation("A snapshot without a loss");
    this.#since.snapshot = isFirst ? offset : Math.min(snapshot, offset);
    this.#since.declared = isFirst ? Math.max(declared, offset) : Math.min(declared, offset);
    this.#since.valuesDue = -1;
  }

  #hearGap({ from, to, missed, reason }: { from: number; to: number; missed: number; reason: string }): void {
    const position = this.#position;
    if (position === null) throw new Violation("A gap for a client without a position");
    if (reason === "unverified") {
      this.#hearUnverified(position, from, to, missed);
      return;
    }
    if (from <= position.offset || to < from || missed !== to - from + 1) {
      throw new Violation(`A gap of ${missed} from ${from} to ${to}, after ${this.#lastEventId}`);
    }
    const tip = position.epoch === this.#record.epoch ? this.#record.tip : null;
    this.#assertPassable(position.offset, from - 1, tip);
    if (reason === "trimmed") this.#assertTrimmed(from, to);
    else if (!(reason === "limit" ? this.#tolerance.limits : this.#tolerance.fails && reason === "missing"))
      throw new Violation(`A gap for no reason: ${reason}`);
    this.#since.declared = to;
    this.#since.valuesDue = position.offset;
  }

  /** Anything up to there may be missing: the log cannot tell any more whether it is the one that the client knows. */
  #hearUnverified(position: Position, from: number, to: number, missed: number): void {
    const { version, highestFloor } = this.#record;
    const isGone = position.offset < highestFloor || version !== this.#opened.version;
    if (!this.#tolerance.forgetsWitnesses || !isGone) {
      throw new Violation(`A position that the log knows is called unverified: ${this.#lastEventId}`);
    }
    if (from !== 1 || missed !== to)
      throw new Violation(`A gap of ${missed} from ${from} to ${to}, and more may be missing`);
    this.#since.declared = to;
    this.#since.isUnverified = true;
    this.#since.valuesDue = 0;
  }

  #assertTrimmed(from: number, to: number): void {
    const { all, epoch, floor, highestFloor } = this.#record;
    const isChanged = this.#record.version !== this.#opened.version;
    if (this.#tolerance.trimsAll === true && (to <= highestFloor || isChanged)) return;
    // A declaration that is read after a copy was restored is about the log as it was before.
    const gone = isChanged ? highestFloor : floor;
    const isGone = (entry: Accepted): boolean => entry.epoch !== epoch || entry.offset <= gone;
    const isLoss = (entry: Accepted): boolean =>
      entry.offset >= from && entry.offset <= to && this.#dues.isLossWhenTrimmed(entry);
    if (all.some((entry) => isLoss(entry) && isGone(entry))) return;
    throw new Violation(`A gap from ${from} to ${to}, of which nothing on the client's channels was trimmed`);
  }

  #hearReset(reason: string): void {
    if (this.#wasRight && this.#record.version === this.#opened.version) {
      throw new Violation(`A reset (${reason}) of a position that is right: ${this.#lastEventId}`);
    }
    this.#since.isReset = true;
    this.#since.valuesDue = 0;
  }

  /** Everything up to the new position has been delivered, declared, or was not for this client. */
  #move(cursor: string, delivered: Accepted | null): void {
    const next = parseCursor(cursor);
    if (next === null) throw new Violation(`No cursor of the hub's: "${cursor}"`);
    const tip = this.#tipOf(next, cursor);
    const upTo = delivered === null ? next.offset : next.offset - 1;
    if (!this.#since.isReset) this.#assertFollows(next, tip, upTo);
    // A reader gets events alone.
    if (this.#since.valuesDue !== -1 && !this.#dues.isReader) this.#assertValues(upTo, tip);
    this.#hold(next, cursor);
    this.#since = nothingSince(-1);
  }

  /** The entry at a position. */
  #tipOf(next: Position, cursor: string): Accepted | null {
    if (next.offset === 0) return null;
    const entry = this.#record.byCursor(cursor);
    if (entry === undefined) throw new Violation(`A position that never was: ${cursor}`);
    return entry;
  }

  #assertFollows(next: Position, tip: Accepted | null, upTo: number): void {
    const position = this.#position;
    if (position === null) {
      if (this.#lastEventId !== "") throw new Violation(`No reset after the unreadable id "${this.#lastEventId}"`);
      return;
    }
    const { isUnverified, declared } = this.#since;
    const isPast = position.epoch === next.epoch && position.offset <= next.offset;
    const isKnown = isPast && (tip === null || this.#record.isOn(position, tip));
    if (!isKnown && !isUnverified) {
      throw new Violation(`From ${this.#lastEventId} to ${next.epoch}.${next.offset} without a reset`);
    }
    this.#assertPassable(isUnverified ? declared : Math.max(position.offset, declared), upTo, tip);
  }

  #assertPassable(after: number, upTo: number, tip: Accepted | null): void {
    const passed = this.#record.branch(after, tip).filter(({ offset }) => offset <= upTo);
    // A value that was sent instead of lost entries has no id.
    const lost = passed.filter((entry) => this.#dues.isOwed(entry) && !this.#since.values.has(entry));
    if (lost.length > 0) throw new Violation(`Lost silently, after ${this.#lastEventId}: ${describe(lost)}`);
  }

  /** A client that comes without the past, or loses a part of it, gets the newest value of every key. */
  #assertValues(upTo: number, tip: Accepted | null): void {
    // The log cannot deliver entries that it has lost.
    const isLost = tip !== null && this.#record.find((entry) => entry === tip) === null;
    if (isLost || this.#record.version !== this.#opened.version) return;
    const due = this.#record
      .branch(this.#since.valuesDue, tip)
      .filter((entry) => entry.key !== undefined && !entry.superseded && entry.offset <= upTo)
      .filter((entry) => this.#dues.isOwed(entry));
    const missing = due.filter((entry) => !this.#since.values.has(entry));
    if (missing.length > 0) throw new Violation(`The value was not given: ${describe(missing)}`);
  }
}

/** Losses that may be declared without any fault of the log. */
export interface Tolerance {
  /** A replay is limited. */
  readonly limits: boolean;
  /** Questions fail, so that a hole cannot be read again. */
  readonly fails: boolean;
  /** The log forgets the witness of an entry with the entry. */
  readonly forgetsWitnesses: boolean;
  /** The log does not know which channels the entries had that it has removed. @default false */
  readonly trimsAll?: boolean;
}

function nothingSince(valuesDue: number): Since {
  return { declared: 0, isReset: false, isUnverified: false, valuesDue, snapshot: -1, values: new Set() };
}

function describe(entries: readonly Accepted[]): string {
  return entries
    .map(({ cursor, channel, type, data, key }) => {
      const keyed = key === undefined ? "" : ` (key ${key})`;
      return `${type} "${data.slice(0, 30)}" on ${channel}${keyed} at ${cursor}`;
    })
    .join(", ");
}
