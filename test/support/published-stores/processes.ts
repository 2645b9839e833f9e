/** Processes of one test: hubs of their own on one storage. */
import type { Hub } from "../../../src/index.ts";
import { openHub } from "../hub.ts";
import type { WithStorage } from "../stores/hub-suite.ts";

/** Calls back with a function that opens another process. */
export function withProcesses(
  withStorage: WithStorage,
  body: (open: () => Promise<Hub>) => Promise<void>,
): () => Promise<void> {
  return () =>
    withStorage({}, async (openLog) => {
      const hubs: Hub[] = [];
      const open = async (): Promise<Hub> => {
        const { hub } = openHub({ log: await openLog() });
        hubs.push(hub);
        return hub;
      };
      try {
        await body(open);
      } finally {
        for (const hub of hubs) await hub.close();
      }
    });
}
