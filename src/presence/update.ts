import type { NewEntry, Position } from "../log/log.ts";
import {
  isMember,
  type MemberRecord,
  memberKey,
  type PresenceRecord,
  type PresenceState,
  type ProcessRecord,
  type ProcessState,
  presenceChannel,
  type Stored,
} from "./state.ts";

/** A member has come to a channel, or left it, at whatever number of processes it is or was. */
export interface Transition {
  readonly kind: "join" | "leave";
  readonly member: MemberRecord;
}

/** What one process is about to write: cells, and what this means for the channels. */
export class PresenceUpdate {
  readonly roster: PresenceState;
  /** Every cell up to this position is in the roster. */
  readonly after: Position;
  readonly #freeKeys: Iterator<string, never>;
  readonly #cells = new Map<string, PresenceRecord>();
  /** By place: in how many cells the member is, before and after. */
  readonly #counts = new Map<string, { member: MemberRecord; before: number; after: number }>();

  constructor(roster: PresenceState, after: Position) {
    this.roster = roster;
    this.after = after;
    this.#freeKeys = roster.freeKeys();
  }

  /** How many cells are written. */
  get size(): number {
    return this.#cells.size;
  }

  /** Says that a process is alive, in the cell where it said so before. */
  renew(cell: ProcessRecord, key: string | undefined): void {
    this.#cells.set(key ?? this.#freeKeys.next().value, cell);
  }

  add(member: MemberRecord): void {
    this.#cells.set(this.#freeKeys.next().value, member);
    this.#count(member, 1);
  }

  replace(cell: Stored<MemberRecord>, data: unknown): void {
    const { process, channel, id, since } = cell;
    this.#cells.set(cell.key, { process, channel, id, data, since });
  }

  free(cell: Stored<MemberRecord>): void {
    this.#cells.set(cell.key, null);
    this.#count(cell, -1);
  }

  /** Frees what a process has, as far as there is room; where it said that it is alive comes last. */
  release({ cells }: ProcessState, room: number): void {
    for (const cell of cells.values()) {
      if (!isMember(cell) || this.#cells.has(cell.key)) continue;
      if (this.size >= room) return;
      this.free(cell);
    }
    for (const cell of cells.values()) if (!isMember(cell)) this.#cells.set(cell.key, null);
  }

  /** The cells as entries, which the log refuses if anybody has written a cell that is not in the roster. */
  entries(sender: string): NewEntry[] {
    const { after } = this;
    return Array.from(this.#cells, ([key, cell]) => {
      return { channel: presenceChannel, type: "cell", data: JSON.stringify(cell), key, sender, after };
    });
  }

  /** Who was nowhere before and is somewhere after, and the other way round. */
  transitions(): Transition[] {
    return [...this.#counts.values()].flatMap(({ member, before, after }) => {
      if (before > 0 === after > 0) return [];
      return { kind: after > 0 ? "join" : "leave", member };
    });
  }

  #count(member: MemberRecord, more: number): void {
    const place = memberKey(member.channel, member.id);
    const before = this.roster.cellsOf(member.channel, member.id).size;
    const count = this.#counts.get(place) ?? { member, before, after: before };
    count.after += more;
    this.#counts.set(place, count);
  }
}
