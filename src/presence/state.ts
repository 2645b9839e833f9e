// The members that the log lists: the records of all processes, and what follows from them.
import type { Member } from "../hub/presence.ts";
import type { LogEntry } from "../log/log.ts";

/** The channel of the records. Its name has a control character, so applications cannot use it. */
export const presenceChannel = "\u0001presence";

/** Declares that a process is alive, and how long it may be silent before it counts as dead. */
export interface ProcessRecord {
  readonly process: string;
  /** Milliseconds. */
  readonly lease: number;
}

/** A member on a channel, with connections to one process. */
export interface MemberRecord extends Member {
  readonly process: string;
  readonly channel: string;
}

/** The value of one key of the channel; `null` when the key is free. */
export type PresenceRecord = ProcessRecord | MemberRecord | null;

/** A record with its key and the offset of its entry. */
export type Stored<R> = R & { readonly key: string; readonly offset: number };

/** The records of one process. */
export interface ProcessState {
  readonly process: string;
  /** The key of its {@link ProcessRecord}, once it has one. */
  key: string | undefined;
  lease: number;
  /** When its last record arrived here, in the time of `now()`. Clocks of different machines are never compared. */
  seen: number;
  /** By key. */
  readonly records: Map<string, Stored<ProcessRecord | MemberRecord>>;
}

/**
 * The members of all channels, as the log has them. Records are keyed entries of one channel, so the log keeps the latest of
 * each key. Keys are reused, so there are never more of them than there were members at one time.
 */
export class PresenceState {
  /** The processes that have a record. */
  readonly processes: Map<string, ProcessState> = new Map();
  readonly #lease: number;
  readonly #records = new Map<string, { record: Stored<ProcessRecord | MemberRecord> | null; offset: number }>();
  readonly #freeKeys = new Set<string>();
  /** By channel and id: one record for each process that the member is connected to. */
  readonly #members = new Map<string, Map<string, Set<Stored<MemberRecord>>>>();

  /** @param lease The lease of a process whose own has not arrived. */
  constructor(lease: number) {
    this.#lease = lease;
  }

  /**
   * Applies an entry of the channel, in any order: of each key the highest offset wins. A free key keeps its offset, so that an
   * older record of it, from the read or the tail, does not come back.
   *
   * @returns The record that it replaced; `null` if the key was free or the entry is older than the record.
   */
  apply({ key, offset, data }: Pick<LogEntry, "key" | "offset" | "data">, time: number): PresenceRecord {
    const known = this.#records.get(key as string);
    if (key === undefined || (known !== undefined && known.offset >= offset)) return null;
    const replaced = known?.record ?? null;
    if (replaced !== null) this.#remove(replaced);
    const content = parseRecord(data);
    const record = content === null ? null : { ...content, key, offset };
    this.#records.set(key, { record, offset });
    if (record === null) this.#freeKeys.add(key);
    else this.#add(record, time);
    return replaced;
  }

  /** Keys for new records: free ones, then unused ones. If two processes choose the same key, the log accepts one of them. */
  *freeKeys(): Generator<string, never> {
    yield* this.#freeKeys;
    for (let number = this.#records.size; ; number++) yield String(number);
  }

  /** The records of a member, one for each process that it is connected to. */
  recordsOf(channel: string, id: string): ReadonlySet<Stored<MemberRecord>> {
    return this.#members.get(channel)?.get(id) ?? noRecords;
  }

  /** The members of a channel, in the order in which they came. */
  members(channel: string): Member[] {
    const members = Array.from(this.#members.get(channel)?.values() ?? [], mergeRecords);
    return members.sort((a, b) => a.since - b.since);
  }

  #add(record: Stored<ProcessRecord | MemberRecord>, time: number): void {
    const { process, key } = record;
    let state = this.processes.get(process);
    if (state === undefined) {
      state = { process, key: undefined, lease: this.#lease, seen: time, records: new Map() };
      this.processes.set(process, state);
    }
    state.seen = time;
    state.records.set(key, record);
    this.#freeKeys.delete(key);
    if (isMemberRecord(record)) this.#addMember(record);
    else {
      state.key = key;
      state.lease = record.lease;
    }
  }

  #addMember(record: Stored<MemberRecord>): void {
    const members = this.#members.get(record.channel) ?? new Map<string, Set<Stored<MemberRecord>>>();
    const records = members.get(record.id) ?? new Set();
    this.#members.set(record.channel, members.set(record.id, records.add(record)));
  }

  #remove(record: Stored<ProcessRecord | MemberRecord>): void {
    const state = this.processes.get(record.process) as ProcessState;
    state.records.delete(record.key);
    if (state.key === record.key) state.key = undefined;
    if (state.records.size === 0) this.processes.delete(record.process);
    if (isMemberRecord(record)) this.#removeMember(record);
  }

  #removeMember(record: Stored<MemberRecord>): void {
    const members = this.#members.get(record.channel);
    const records = members?.get(record.id);
    records?.delete(record);
    if (records?.size === 0) members?.delete(record.id);
    if (members?.size === 0) this.#members.delete(record.channel);
  }
}

/** Tells the two kinds of records apart. */
export function isMemberRecord<R extends ProcessRecord | MemberRecord>(
  record: R,
): record is Extract<R, { channel: string }> {
  return "channel" in record;
}

/** A key for a member on a channel. Channel names contain no line breaks. */
export function memberKey(channel: string, id: string): string {
  return `${channel}\n${id}`;
}

const noRecords: ReadonlySet<never> = new Set();

/** One member from its records at several processes: the data of the newest, and the time at which the member came first. */
function mergeRecords(records: ReadonlySet<Stored<MemberRecord>>): Member {
  const [newest] = [...records].sort((a, b) => b.offset - a.offset) as [Stored<MemberRecord>];
  const since = Math.min(...Array.from(records, (record) => record.since));
  return newest.data === undefined ? { id: newest.id, since } : { id: newest.id, data: newest.data, since };
}

/** Only hubs write to the channel. A record that cannot be parsed counts as a free key. */
function parseRecord(data: string): PresenceRecord {
  try {
    const record = JSON.parse(data);
    return typeof record?.process === "string" ? record : null;
  } catch {
    return null;
  }
}
