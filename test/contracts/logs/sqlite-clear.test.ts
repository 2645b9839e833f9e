// Nothing of a channel that was cleared is left in the files of a database.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import { createHub } from "../../../src/index.ts";
import { sqliteLog } from "../../../src/logs/sqlite/index.ts";
import { file } from "../../support/sqlite.ts";

/** The secrets that the files of a folder still have. */
function leftIn(folder: string, secret: RegExp): string[] {
  const bytes = readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
  return [...new Set(bytes.join("\n").match(secret) ?? [])];
}

const secret = /secret-\w+-\d+/g;

test("neither in a table, an index or a free page of the file, nor in its journal", async () => {
  const path = file();
  const hub = createHub({ log: sqliteLog({ path }) });
  const chat = hub.channel("chat");
  for (let n = 0; n < 300; n++) {
    // Small ones, some over the length of a page, with keys that supersede and others that do not.
    const data = `secret-data-${n} `.repeat(n % 50 === 0 ? 1_000 : 1);
    await chat.dispatch("n", data, {
      idempotencyKey: `secret-once-${n}`,
      ...(n % 3 === 0 && { key: `secret-key-${n % 12}` }),
      ...(n % 5 === 0 && { sender: `secret-sender-${n}` }),
    });
    await hub.channel("other").dispatch("n", `kept-${n}`);
  }
  expect(leftIn(dirname(path), secret).length).toBeGreaterThan(300);
  await chat.clear();
  expect(leftIn(dirname(path), secret)).toEqual([]);
  expect(leftIn(dirname(path), /kept-\d+/g).length).toBeGreaterThan(100);
  await hub.close();
});

test("nor of entries that retention had removed before", async () => {
  const path = file();
  const hub = createHub({ log: sqliteLog({ path, maxEvents: 50 }) });
  const chat = hub.channel("chat");
  for (let n = 0; n < 500; n++) await chat.dispatch("n", `secret-data-${n} `.repeat(40));
  for (let n = 0; n < 45; n++) await hub.channel("other").dispatch("n", `kept-${n}`);
  await vi.waitFor(() => {
    const database = new DatabaseSync(path);
    const count = database.prepare("SELECT count(*) AS count FROM sse_entry").get();
    database.close();
    expect(count).toEqual({ count: 50 });
  });
  expect(leftIn(dirname(path), secret).length).toBeGreaterThan(10);
  await chat.clear();
  expect(leftIn(dirname(path), secret)).toEqual([]);
  await hub.close();
});

test("waits for a reader of another process, and says so when that does not end", async () => {
  const path = file();
  const hub = createHub({ log: sqliteLog({ path, busyTimeout: 50 }) });
  const chat = hub.channel("chat");
  await chat.dispatch("n", "secret-data-1");
  const other = new DatabaseSync(path);
  other.exec("BEGIN; SELECT count(*) FROM sse_entry");
  await expect(chat.clear()).rejects.toMatchObject({ code: "ERR_SSE_LOG", message: expect.stringMatching(/journal/) });
  expect(await chat.state()).toBe("empty");
  other.exec("COMMIT");
  await chat.dispatch("n", "again");
  await chat.clear();
  expect(leftIn(dirname(path), secret)).toEqual([]);
  other.close();
  await hub.close();
});

test("the application's own database is set to overwrite what costs nothing, and keeps a setting that does more", async () => {
  for (const setting of ["OFF", "ON", "FAST"]) {
    const database = new DatabaseSync(":memory:");
    database.exec(`PRAGMA secure_delete = ${setting}`);
    const hub = createHub({ log: sqliteLog({ database }) });
    const before = database.prepare("PRAGMA secure_delete").get();
    expect(before).toEqual({ secure_delete: setting === "ON" ? 1 : 2 });
    await hub.channel("a").dispatch("n", 1);
    await hub.channel("a").clear();
    expect(database.prepare("PRAGMA secure_delete").get()).toEqual(before);
    await hub.close();
    database.close();
  }
});
