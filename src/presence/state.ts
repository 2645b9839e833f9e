import type { Member } from "../hub/presence.ts";
import type { LogEntry } from "../log/log.ts";

/** The hub's own channel in the log. Applications cannot name it. */
export const presenceChannel = "\u0001presence";

/** Says that a process is alive, and after how much silence it no longer is. */
export interface ProcessRecord {
  readonly process: string;
  readonly lease: number;
}

/** A member on a channel, as one process has it. */
export interface MemberRecord extends Member {
  readonly process: string;
  readonly channel: string;
}

/** What one key of the hub's own channel holds; `null` when it is free for somebody else. */
export type PresenceRecord = ProcessRecord | MemberRecord | null;

/** A cell with the key under which the log has it, and the offset of the entry. */
export type Stored<C> = C & { readonly key: string; readonly offset: number };

/** What is known of a process. */
export interface ProcessState {
  readonly process: string;
  /** Of the cell in which it says that it is alive. */
  key: string | undefined;
  lease: number;
  /** When it was last heard of, in the time of `now()`: clocks of different machines are not compared. */
  seen: number;
  /** Everything that it wrote, by key. */
  readonly cells: Map<string, Stored<ProcessRecord | MemberRecord>>;
}

/**
 * Who is present, as the log says. Its cells are keyed entries of one channel, so that the log keeps the newest of each, and
 * they are used again, so that it never holds more of them than there were members at one time.
 */
export class PresenceState {
  /** Those who wrote a cell that still holds. */
  readonly processes: Map<string, ProcessState> = new Map();
  readonly #lease: number;
  readonly #cells = new Map<string, { cell: Stored<ProcessRecord | MemberRecord> | null; offset: number }>();
  readonly #free = new Set<string>();
  /** By channel and id: one cell for each process where the member is. */
  readonly #present = new Map<string, Map<string, Set<Stored<MemberRecord>>>>();

  /** @param lease Of a process that has members and has not said how long to wait for it. */
  constructor(lease: number) {
    this.#lease = lease;
  }

  /** Takes in an entry, in any order. Returns the cell that it has replaced. */
  apply({ key, offset, data }: Pick<LogEntry, "key" | "offset" | "data">, time: number): PresenceRecord {
    const known = this.#cells.get(key as string);
    if (key === undefined || (known !== undefined && known.offset >= offset)) return null;
    const replaced = known?.cell ?? null;
    if (replaced !== null) this.#remove(replaced);
    const content = readCell(data);
    const cell = content === null ? null : { ...content, key, offset };
    this.#cells.set(key, { cell, offset });
    if (cell === null) this.#free.add(key);
    else this.#add(cell, time);
    return replaced;
  }

  /** Keys for new cells: those that were left, then ones never used. Of processes that choose the same, the log takes one. */
  *freeKeys(): Generator<string, never> {
    yield* this.#free;
    for (let number = this.#cells.size; ; number++) yield String(number);
  }

  /** The cells of a member, one for each process where it is. */
  cellsOf(channel: string, id: string): ReadonlySet<Stored<MemberRecord>> {
    return this.#present.get(channel)?.get(id) ?? none;
  }

  /** Everyone on a channel, those who came first at the beginning. */
  members(channel: string): Member[] {
    const members = Array.from(this.#present.get(channel)?.values() ?? [], merge);
    return members.sort((a, b) => a.since - b.since);
  }

  #add(cell: Stored<ProcessRecord | MemberRecord>, time: number): void {
    const { process, key } = cell;
    let state = this.processes.get(process);
    if (state === undefined) {
      state = { process, key: undefined, lease: this.#lease, seen: time, cells: new Map() };
      this.processes.set(process, state);
    }
    state.seen = time;
    state.cells.set(key, cell);
    this.#free.delete(key);
    if (isMember(cell)) this.#addMember(cell);
    else {
      state.key = key;
      state.lease = cell.lease;
    }
  }

  #addMember(cell: Stored<MemberRecord>): void {
    const members = this.#present.get(cell.channel) ?? new Map<string, Set<Stored<MemberRecord>>>();
    const cells = members.get(cell.id) ?? new Set();
    this.#present.set(cell.channel, members.set(cell.id, cells.add(cell)));
  }

  #remove(cell: Stored<ProcessRecord | MemberRecord>): void {
    const state = this.processes.get(cell.process) as ProcessState;
    state.cells.delete(cell.key);
    if (state.key === cell.key) state.key = undefined;
    if (state.cells.size === 0) this.processes.delete(cell.process);
    if (isMember(cell)) this.#removeMember(cell);
  }

  #removeMember(cell: Stored<MemberRecord>): void {
    const members = this.#present.get(cell.channel);
    const cells = members?.get(cell.id);
    cells?.delete(cell);
    if (cells?.size === 0) members?.delete(cell.id);
    if (members?.size === 0) this.#present.delete(cell.channel);
  }
}

export function isMember<C extends ProcessRecord | MemberRecord>(cell: C): cell is Extract<C, { channel: string }> {
  return "channel" in cell;
}

/** A member and a channel as one text. Names of channels have no line ends. */
export function memberKey(channel: string, id: string): string {
  return `${channel}\n${id}`;
}

const none: ReadonlySet<never> = new Set();

/** The member that the cells of several processes speak of. */
function merge(cells: ReadonlySet<Stored<MemberRecord>>): Member {
  const [newest] = [...cells].sort((a, b) => b.offset - a.offset) as [Stored<MemberRecord>];
  const since = Math.min(...Array.from(cells, (cell) => cell.since));
  return newest.data === undefined ? { id: newest.id, since } : { id: newest.id, data: newest.data, since };
}

/** A cell that cannot be read is free: this channel is written to by hubs alone. */
function readCell(data: string): PresenceRecord {
  try {
    const cell = JSON.parse(data);
    return typeof cell?.process === "string" ? cell : null;
  } catch {
    return null;
  }
}
