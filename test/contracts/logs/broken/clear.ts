// Logs that break the promises of clear().
import { clearEntry } from "../../../../src/log/cleared.ts";
import type { CompleteLog } from "../../../../src/log/complete.ts";
import type { Appended, Retention } from "../../../../src/log/log.ts";
import { memoryLog } from "../../../../src/logs/memory/index.ts";
import { type BrokenLogs, changed } from "./changed.ts";

export const brokenClears: BrokenLogs = {
  "tells that a channel was cleared, and erases nothing": {
    found: /^clear: leaves empty slots/,
    ...clearing(async (log, channel) => {
      const [appended] = await log.append([clearEntry(channel, { from: 1, to: 1 })]);
      return appended as Appended;
    }),
  },
  "tells that a channel was cleared that never had an entry": {
    found: /^clear: does nothing for a channel without entries/,
    ...clearing(async (log, channel) => {
      await log.append([{ channel, type: "n", data: "" }]);
      return log.clear?.(channel) as Promise<Appended | null>;
    }),
  },
  "does not tell that a channel was cleared": {
    found: /^clear: reaches tails/,
    ...clearing(async () => null),
  },
};

function clearing(clear: (log: CompleteLog, channel: string) => Promise<Appended | null>) {
  const change = (log: CompleteLog) => ({ clear: (channel: string) => clear(log, channel) });
  return {
    storage: (retention: Retention) => ({ open: () => changed(memoryLog(retention), change) }),
    options: { persistent: false, shared: false, lossy: false, restorable: false, failing: false },
  };
}
