// Logs that do not close, do not last, or are not one.
import { PlainLog, PlainStore } from "../../../../src/testing/index.ts";
import { plainStorage } from "../../../support/plain-log.ts";
import type { BrokenLogs } from "./changed.ts";

export const brokenLives: BrokenLogs = {
  "has methods that it does not declare": {
    found: /^capabilities: a log has the methods that it declares/,
    change: () => ({ capabilities: new Set(["atomicBatch", "conflation"] as const) }),
  },
  "declares methods that it does not have": {
    found: /^capabilities: a log has the methods that it declares/,
    change: (log) => ({ ...({ last: undefined } as object), capabilities: log.capabilities }),
  },
  "does not know that it is closed": {
    found: /^close: /,
    change: (log) => {
      let closed = false;
      const empty = { epoch: "x", top: 0, witness: 1, floor: { offset: 0, witness: 1 } };
      return {
        head: async () => (closed ? empty : log.head()),
        close: () => {
          closed = true;
          return log.close();
        },
      };
    },
  },
  "keeps nothing for another log on the same storage": {
    found: /^opened again: /,
    storage: (retention) => ({ open: () => new PlainLog(new PlainStore(retention)) }),
  },
  "is the same log again": {
    found: /^epoch: is another one/,
    storage: (retention) => plainStorage(retention),
    options: { persistent: false, shared: false },
  },
};
