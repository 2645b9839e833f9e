// The entries that the log has now.
import type { LimitedLog } from "../hub/limited-log.ts";
import type { ChannelSelection, LogEntry } from "../log/log.ts";
import { internalPage } from "../log/page-size.ts";

/** Reads channels after an offset, up to the newest entry at the time of the call. */
export async function* entriesOf(
  log: LimitedLog,
  selection: ChannelSelection,
  after: number,
): AsyncGenerator<{ epoch: string; entry: LogEntry }> {
  const { top } = await log.head();
  for (let position = after; position < top; ) {
    const page = await log.read(position, { ...internalPage, selection, conflate: false });
    for (const entry of page.entries) yield { epoch: page.epoch, entry };
    position = page.through;
  }
}
