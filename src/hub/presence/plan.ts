import { now } from "../../clock.ts";
import type { Attendance, Attendee } from "./attendance.ts";
import { Change } from "./change.ts";
import type { Roster } from "./roster.ts";

/** Most cells that are written at a time. */
export const batch = 256;

/** Where a member is or was. */
export type Place = Pick<Attendee, "channel" | "id">;

/** What a process says of itself in the log. */
export interface Self {
  readonly process: string;
  /** After how much silence the others may take it for dead. */
  readonly lease: number;
  readonly attendance: Attendance;
}

/** How often a process says that it is alive. */
export function paceOf(lease: number): number {
  return lease / 3;
}

/**
 * What makes the log say that the attendees of these places are here, that others are not, that this process lives, and that
 * those which are silent for too long do not.
 *
 * @param after Every cell up to this offset is in the roster.
 */
export function planChange(roster: Roster, after: number, self: Self, places: readonly Place[]): Change {
  const change = new Change(roster, after);
  const time = now();
  const { process, lease, attendance } = self;
  const mine = roster.processes.get(process);
  if (attendance.size > 0 && (mine?.key === undefined || time >= mine.seen + paceOf(lease))) {
    change.renew({ process, lease }, mine?.key);
  }
  for (const place of places) planPlace(change, self, place);
  for (const other of roster.processes.values()) {
    const isOver = other === mine ? attendance.size === 0 : time >= other.seen + other.lease;
    if (isOver) change.release(other, batch);
  }
  return change;
}

function planPlace(change: Change, { process, attendance }: Self, { channel, id }: Place): void {
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
