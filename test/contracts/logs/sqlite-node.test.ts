import { test } from "vitest";
import { sqliteLog } from "../../../src/logs/sqlite/index.ts";
import { testLog } from "../../../src/testing/index.ts";
import { temporaryFile } from "../../support/temporary.ts";

testLog({
  test,
  persistent: true,
  shared: true,
  storage(retention) {
    const { path, remove } = temporaryFile("events.db");
    return { open: () => sqliteLog({ path, ...retention }), remove };
  },
});
