import { describe, onTestFinished, test } from "vitest";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { postgresLog } from "../../../src/logs/postgres/index.ts";
import { exactLosses, type OpenLog } from "../../support/exact-losses.ts";
import { newSchema, pglite } from "../../support/pglite.ts";
import { openLog } from "../../support/sqlite.ts";

const logs: Record<string, OpenLog> = {
  memory: async (maxEvents) => memoryLog({ maxEvents }),
  sqlite: async (maxEvents) => openLog({ path: ":memory:", maxEvents }),
  postgres: async (maxEvents) => postgresLog({ pool: await pglite(), schema: newSchema(), maxEvents }),
};

describe.each(Object.entries(logs))("losses on %s", (_, open) => {
  for (const [name, run] of Object.entries(exactLosses)) {
    test(name, () =>
      run(async (maxEvents) => {
        const log = await open(maxEvents);
        onTestFinished(() => log.close());
        return log;
      }),
    );
  }
});
