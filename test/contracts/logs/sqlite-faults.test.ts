import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import BetterDatabase from "better-sqlite3";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type SQLiteLike, type SqliteLogOptions, sqliteLog } from "../../../src/logs/sqlite/index.ts";
import { entry, file, open, openLog, readAll, track } from "../../support/sqlite.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a database that cannot be used is a clear error", () => {
  test.each<[string, (path: string) => void, RegExp]>([
    [
      "a file of something else",
      (path) => writeFileSync(path, "not a database ".repeat(500)),
      /damaged or not an SQLite database; stop all processes/,
    ],
    ["a folder", (path) => mkdirSync(path), /cannot open the file ".*events\.db"; make sure that its folder exists/],
    [
      "a newer version",
      (path) => change(path, "UPDATE sse_log SET version = 7"),
      /newer version .* wrote .*schema 7; this one supports up to \d+.*update the package/,
    ],
    ["a log without its row", (path) => change(path, "DELETE FROM sse_log"), /sse_log is empty/],
  ])("%s", (_, prepare, message) => {
    const path = file();
    prepare(path);
    expect(() => sqliteLog({ path })).toThrow(
      expect.objectContaining({ code: "ERR_SSE_LOG", message: expect.stringMatching(message) }),
    );
  });

  test("a folder that is not there", () => {
    expect(() => sqliteLog({ path: `${dirname(file())}/none/events.db` })).toThrow(/make sure that its folder exists/);
  });

  test("another process that is about to make the file", () => {
    const path = file();
    const other = open(path);
    other.exec("BEGIN EXCLUSIVE; CREATE TABLE other (id)");
    expect(() => sqliteLog({ path, busyTimeout: 30 })).toThrow(
      /timed out waiting for the lock on .*release it, or raise busyTimeout/,
    );
    other.exec("COMMIT");
    expect(() => openLog({ path })).not.toThrow();
  });

  test("a damaged page, found when it is read", async () => {
    const path = file();
    const filled = sqliteLog({ path });
    await filled.append(Array.from({ length: 2_000 }, (_, i) => entry("a", `${i}`.padEnd(200))));
    await filled.close();
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0x55, 40_000, 120_000));
    const log = openLog({ path });
    await expect(readAll(log)).rejects.toMatchObject({
      code: "ERR_SSE_LOG",
      message: expect.stringMatching(/damaged.*restore it from a copy/),
    });
  });

  test("a runtime without node:sqlite", () => {
    vi.spyOn(process, "getBuiltinModule").mockReturnValueOnce(undefined as never);
    expect(() => sqliteLog({ path: file() })).toThrow(/no module node:sqlite.*pass it as the option database/);
  });
});

test.each<[string, unknown, RegExp]>([
  ["neither path nor database", {}, /options path and database are undefined and undefined; pass one of them/],
  ["both", { path: "x", database: new DatabaseSync(":memory:") }, /pass one of them/],
  ["something else in place of a database", { database: {} }, /pass one of them/],
  ["an empty path", { path: "" }, /path is ""; pass the name of a file, or ":memory:"/],
  ["a blank path", { path: " " }, /path is " "; pass the name of a file/],
  ["witnessAge", { path: "x", witnessAge: -1 }, /witnessAge is -1/],
  ["durability", { path: "x", durability: "full" }, /durability is "full"; it takes "process" or "power"/],
  ["maxEvents", { path: "x", maxEvents: 0 }, /maxEvents is 0; it takes a whole number, one or more/],
  ["busyTimeout", { path: "x", busyTimeout: "soon" }, /busyTimeout is "soon"/],
])("options that are not allowed: %s", (_, options, message) => {
  expect(() => sqliteLog(options as SqliteLogOptions)).toThrow(
    expect.objectContaining({ code: "ERR_SSE_OPTION", message: expect.stringMatching(message) }),
  );
});

describe("while another connection holds the write lock", () => {
  test("an append waits for it, and readers do not", async () => {
    const path = file();
    const log = openLog({ path });
    const other = open(path);
    other.exec("BEGIN IMMEDIATE");
    let stored = false;
    const append = log.append([entry("a")]).then(() => {
      stored = true;
    });
    for (let i = 0; i < 5; i++) expect((await log.head()).top).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(stored).toBe(false);
    other.exec("COMMIT");
    await append;
    expect((await log.head()).top).toBe(1);
  });

  test("an append gives up after busyTimeout, and the log continues when the lock is gone", async () => {
    const path = file();
    const log = openLog({ path, busyTimeout: 40 });
    const other = open(path);
    other.exec("BEGIN IMMEDIATE");
    await expect(log.append([entry("a")])).rejects.toMatchObject({
      code: "ERR_SSE_LOG",
      message: expect.stringMatching(/timed out waiting for the lock/),
    });
    other.exec("ROLLBACK");
    await expect(log.append([entry("a")])).resolves.toMatchObject([{ offset: 1 }]);
  });
});

test.each<[string, (path: string) => SQLiteLike]>([
  ["node:sqlite", (path) => open(path)],
  ["better-sqlite3", (path) => track(new BetterDatabase(path))],
])(
  "a full disk: nothing is acknowledged that is not stored, and the log continues when there is room (%s)",
  async (_, make) => {
    const database = make(file());
    const log = openLog({ database });
    const acknowledged: number[] = [];
    await log.append([entry("a", "first")]);
    database.exec("PRAGMA max_page_count = 40");
    const failures: unknown[] = [];
    for (let i = 0; i < 60; i++) {
      const calls = [1, 2, 3].map((n) => log.append([entry("a", "x".repeat(2_000)), entry("a", `${i} ${n}`)]));
      for (const result of await Promise.allSettled(calls)) {
        if (result.status === "fulfilled") acknowledged.push(...result.value.map(({ offset }) => offset));
        else failures.push(result.reason);
      }
    }
    expect(failures.length).toBeGreaterThan(10);
    expect(failures[0]).toMatchObject({
      code: "ERR_SSE_LOG",
      message: expect.stringMatching(/no room left .* nothing was stored/),
    });
    expect((await readAll(log)).map(({ offset }) => offset)).toEqual([1, ...acknowledged]);
    database.exec("PRAGMA max_page_count = 100000");
    const [placed] = await log.append([entry("a", "x".repeat(100_000))]);
    expect(placed?.offset).toBe(acknowledged.length + 2);
  },
);

test("a call that cannot be stored does not take the others of its tick with it", async () => {
  const log = openLog({ path: file() });
  const bad = entry("a", null as never);
  const calls = [[entry("a", "1")], [entry("a", "2"), bad], [entry("a", "3")], [entry("a", "4")]];
  const results = await Promise.allSettled(calls.map((call) => log.append(call)));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  expect((await readAll(log)).map(({ data }) => data)).toEqual(["1", "3", "4"]);
});

/** Makes a log and changes what it wrote. */
function change(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  sqliteLog({ database }).close();
  database.exec(sql);
  database.close();
}
