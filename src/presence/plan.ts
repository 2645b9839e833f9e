// The difference between the members that are connected here and the records in the log.
import { now } from "../base/clock.ts";
import type { Position } from "../log/log.ts";
import type { LocalMember, LocalMembers } from "./local-members.ts";
import type { PresenceState } from "./state.ts";
import { PresenceUpdate } from "./update.ts";

/** Most records in one append. */
export const maxRecordsPerWrite = 256;

/** A member on a channel. */
export type MemberAddress = Pick<LocalMember, "channel" | "id">;

/** The process that writes. */
export interface LocalProcess {
  readonly process: string;
  /** How long it may be silent before other processes remove its members, in milliseconds. */
  readonly lease: number;
  readonly members: LocalMembers;
}

/** How often a process declares that it is alive, in milliseconds. */
export function renewalInterval(lease: number): number {
  return lease / 3;
}

/**
 * The update that makes the log agree with this process: members that are connected here have a record, others have none,
 * the process has declared that it is alive, and processes whose lease has run out have no records.
 *
 * Another process counts as dead by the time at which its last record arrived here. The clocks of two machines differ, so the
 * times in records are never compared with this one's.
 *
 * @param after The state includes every record up to this position.
 * @param dirty The members to compare with the log.
 */
export function planUpdate(
  state: PresenceState,
  after: Position,
  local: LocalProcess,
  dirty: readonly MemberAddress[],
): PresenceUpdate {
  const update = new PresenceUpdate(state, after);
  const time = now();
  const { process, lease, members } = local;
  const own = state.processes.get(process);
  if (members.size > 0 && (own?.key === undefined || time >= own.seen + renewalInterval(lease))) {
    update.renew({ process, lease }, own?.key);
  }
  for (const address of dirty) planMember(update, local, address);
  for (const other of state.processes.values()) {
    const isOver = other === own ? members.size === 0 : time >= other.seen + other.lease;
    if (isOver) update.removeProcess(other, maxRecordsPerWrite);
  }
  return update;
}

/**
 * Compares one member with its record. A member that is present at another process already keeps the time at which it came
 * there first. Data is compared as JSON: both sides came from JSON, so a different order of properties at most costs a write.
 */
function planMember(update: PresenceUpdate, { process, members }: LocalProcess, { channel, id }: MemberAddress): void {
  const records = [...update.state.recordsOf(channel, id)];
  const [own, ...surplus] = records.filter((record) => record.process === process);
  const member = members.find(channel, id);
  for (const record of surplus) update.remove(record);
  if (member === undefined) {
    if (own !== undefined) update.remove(own);
  } else if (own === undefined) {
    const since = Math.min(member.since, ...records.map((record) => record.since));
    update.add({ process, channel, id, data: member.data, since });
  } else if (JSON.stringify(own.data) !== JSON.stringify(member.data)) {
    update.replace(own, member.data);
  }
}
