import { DatabaseSync } from "node:sqlite";
import { test } from "vitest";
import { sqliteLog } from "../../../src/logs/sqlite/index.ts";
import { testLog } from "../../../src/testing/index.ts";

testLog({
  test,
  persistent: true,
  storage(retention) {
    const database = new DatabaseSync(":memory:");
    return { open: () => sqliteLog({ database, ...retention }), remove: () => database.close() };
  },
});
