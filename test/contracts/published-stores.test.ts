/** The published store tests on the logs without a server. */
import { memoryLog } from "../../src/logs/memory/index.ts";
import { sqliteLog } from "../../src/logs/sqlite/index.ts";
import { testPublishedStores } from "../support/published-stores/index.ts";
import { temporaryFile } from "../support/temporary.ts";

testPublishedStores("memory", async (retention, body) => {
  const log = memoryLog(retention);
  await body(() => log);
});

testPublishedStores("SQLite", async (retention, body) => {
  const { path, remove } = temporaryFile("events.db");
  await body(() => sqliteLog({ path, ...retention }));
  remove();
});
