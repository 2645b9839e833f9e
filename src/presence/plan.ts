import { now } from "../base/clock.ts";
import type { Position } from "../log/log.ts";
import type { LocalMember, LocalMembers } from "./local-members.ts";
import type { PresenceState } from "./state.ts";
import { PresenceUpdate } from "./update.ts";

/** Most cells that are written at a time. */
export const maxRecordsPerWrite = 256;

/** Where a member is or was. */
export type MemberAddress = Pick<LocalMember, "channel" | "id">;

/** What a process says of itself in the log. */
export interface Self {
  readonly process: string;
  /** After how much silence the others may take it for dead. */
  readonly lease: number;
  readonly attendance: LocalMembers;
}

/** How often a process says that it is alive. */
export function renewalInterval(lease: number): number {
  return lease / 3;
}

/**
 * What makes the log say that the attendees of these places are here, that others are not, that this process lives, and that
 * those which are silent for too long do not.
 *
 * @param after Every cell up to this position is in the roster.
 */
export function planUpdate(
  roster: PresenceState,
  after: Position,
  self: Self,
  places: readonly MemberAddress[],
): PresenceUpdate {
  const change = new PresenceUpdate(roster, after);
  const time = now();
  const { process, lease, attendance } = self;
  const mine = roster.processes.get(process);
  if (attendance.size > 0 && (mine?.key === undefined || time >= mine.seen + renewalInterval(lease))) {
    change.renew({ process, lease }, mine?.key);
  }
  for (const place of places) planPlace(change, self, place);
  for (const other of roster.processes.values()) {
    const isOver = other === mine ? attendance.size === 0 : time >= other.seen + other.lease;
    if (isOver) change.release(other, maxRecordsPerWrite);
  }
  return change;
}

function planPlace(change: PresenceUpdate, { process, attendance }: Self, { channel, id }: MemberAddress): void {
  const cells = [...change.roster.cellsOf(channel, id)];
  const [own, ...surplus] = cells.filter((cell) => cell.process === process);
  const attendee = attendance.find(channel, id);
  for (const cell of surplus) change.free(cell);
  if (attendee === undefined) {
    if (own !== undefined) change.free(own);
  } else if (own === undefined) {
    const since = Math.min(attendee.since, ...cells.map((cell) => cell.since));
    change.add({ process, channel, id, data: attendee.data, since });
  } else if (JSON.stringify(own.data) !== JSON.stringify(attendee.data)) {
    change.replace(own, attendee.data);
  }
}
