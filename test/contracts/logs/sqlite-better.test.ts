import Database from "better-sqlite3";
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
    const databases: Database.Database[] = [];
    return {
      open() {
        const database = new Database(path);
        databases.push(database);
        return sqliteLog({ database, durability: "power", ...retention });
      },
      remove() {
        for (const database of databases) database.close();
        remove();
      },
    };
  },
});
