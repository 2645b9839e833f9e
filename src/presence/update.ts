// A change of the records that one process is about to append, and the joins and leaves that follow from it.
import type { NewEntry, Position } from "../log/log.ts";
import {
  isMemberRecord,
  type MemberRecord,
  memberKey,
  type PresenceRecord,
  type PresenceState,
  type ProcessRecord,
  type ProcessState,
  presenceChannel,
  type Stored,
} from "./state.ts";

/** The first record of a member on a channel, at any process, or the removal of its last. */
export interface Transition {
  readonly kind: "join" | "leave";
  readonly member: MemberRecord;
}

/** The records to append. */
export class PresenceUpdate {
  readonly state: PresenceState;
  /** The state includes every record up to this position. */
  readonly after: Position;
  readonly #freeKeys: Iterator<string, never>;
  readonly #records = new Map<string, PresenceRecord>();
  /** By member: the number of its records, before and after the update. */
  readonly #counts = new Map<string, { member: MemberRecord; before: number; after: number }>();

  constructor(state: PresenceState, after: Position) {
    this.state = state;
    this.after = after;
    this.#freeKeys = state.freeKeys();
  }

  /** The number of records. */
  get size(): number {
    return this.#records.size;
  }

  /** Declares again that a process is alive, under the key of its last declaration. */
  renew(record: ProcessRecord, key: string | undefined): void {
    this.#records.set(key ?? this.#freeKeys.next().value, record);
  }

  add(member: MemberRecord): void {
    this.#records.set(this.#freeKeys.next().value, member);
    this.#count(member, 1);
  }

  /** New data of a member, under the same key. The member was present and still is, so that no event follows. */
  replace(record: Stored<MemberRecord>, data: unknown): void {
    const { process, channel, id, since } = record;
    this.#records.set(record.key, { process, channel, id, data, since });
  }

  remove(record: Stored<MemberRecord>): void {
    this.#records.set(record.key, null);
    this.#count(record, -1);
  }

  /**
   * Removes the records of a process, up to a size of `maxSize`. Its declaration is removed last: until then, other
   * processes know that there is more to remove.
   */
  removeProcess({ records }: ProcessState, maxSize: number): void {
    for (const record of records.values()) {
      if (!isMemberRecord(record) || this.#records.has(record.key)) continue;
      if (this.size >= maxSize) return;
      this.remove(record);
    }
    for (const record of records.values()) if (!isMemberRecord(record)) this.#records.set(record.key, null);
  }

  /** The records as entries. The log rejects them if it has a record that the state does not include. */
  entries(sender: string): NewEntry[] {
    const { after } = this;
    return Array.from(this.#records, ([key, record]) => {
      return { channel: presenceChannel, type: "record", data: JSON.stringify(record), key, sender, after };
    });
  }

  /**
   * The members that had no record before the update and have one after it, and the other way round. Only the two ends count:
   * a member whose record at a dead process is removed in the update that adds one here neither leaves nor joins.
   */
  transitions(): Transition[] {
    return [...this.#counts.values()].flatMap(({ member, before, after }) => {
      if (before > 0 === after > 0) return [];
      return { kind: after > 0 ? "join" : "leave", member };
    });
  }

  #count(member: MemberRecord, change: 1 | -1): void {
    const key = memberKey(member.channel, member.id);
    const before = this.state.recordsOf(member.channel, member.id).size;
    const count = this.#counts.get(key) ?? { member, before, after: before };
    count.after += change;
    this.#counts.set(key, count);
  }
}
