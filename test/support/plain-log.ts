import { type CompleteLog, completeLog } from "../../src/log/complete.ts";
import type { Retention } from "../../src/log/log.ts";
import { type LogStorage, PlainLog, PlainStore } from "../../src/testing/index.ts";

/** Storage for the suite of logs, with plain logs, each seen as `wrap` makes it. */
export function plainStorage(
  retention: Retention,
  wrap: (log: CompleteLog) => CompleteLog = (log) => log,
): Required<Pick<LogStorage, "open" | "lose">> {
  const store = new PlainStore(retention);
  return { open: () => wrap(completeLog(new PlainLog(store))), lose: (count) => store.lose(count) };
}
