// Storage for the suite of logs, with plain logs on one store.
import { LogError } from "../../src/base/errors.ts";
import { type CompleteLog, completeLog } from "../../src/log/complete.ts";
import type { Retention } from "../../src/log/log.ts";
import { type LogStorage, PlainLog, PlainStore } from "../../src/testing/index.ts";

/** A store whose appends can be made to fail. */
class FailingStore extends PlainStore {
  failure: "refused" | "lost" | null = null;

  override append(...args: Parameters<PlainStore["append"]>): ReturnType<PlainStore["append"]> {
    if (this.failure === "refused") throw new LogError("The store accepts nothing", false);
    const outcomes = super.append(...args);
    if (this.failure === "lost") throw new LogError("The answer was lost", "unknown");
    return outcomes;
  }
}

/** @param wrap Changes each log that is opened, with the methods that it lacks. */
export function plainStorage(retention: Retention, wrap?: (log: CompleteLog) => CompleteLog): LogStorage {
  const store = new FailingStore(retention);
  return {
    open: () => {
      const log = new PlainLog(store);
      return wrap === undefined ? log : wrap(completeLog(log));
    },
    lose: (count) => store.lose(count),
    copy: () => store.copy(),
    fail(how) {
      store.failure = how;
    },
  };
}
