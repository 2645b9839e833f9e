import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import BetterDatabase from "better-sqlite3";
import { describe, expect, test, vi } from "vitest";
import type { SQLiteLike } from "../../../src/logs/sqlite/index.ts";
import { schemaVersion } from "../../../src/logs/sqlite/schema.ts";
import { read, trimmed, values, witnessAt } from "../../../src/testing/log/ask.ts";
import { entry, file, open, openLog, readAll, selecting, track } from "../../support/sqlite.ts";

const version1 = readFileSync(join(import.meta.dirname, "fixtures/version-1.sql"), "utf8");

/** Path of a file as version 1 of the schema left it, changed by more statements. */
function old(change = ""): string {
  const path = file();
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; BEGIN; ${version1}; ${change}; COMMIT`);
  database.close();
  return path;
}

describe("a file of schema version 1", () => {
  test.each<[string, (path: string) => { path: string } | { database: SQLiteLike }]>([
    ["path", (path) => ({ path })],
    ["node:sqlite", (path) => ({ database: open(path) })],
    ["better-sqlite3", (path) => ({ database: track(new BetterDatabase(path)) })],
  ])("keeps entries, positions, values and keys (%s)", async (_, options) => {
    const log = openLog({ ...options(old()), maxEvents: 8 });
    const head = await log.head();
    expect(head).toMatchObject({ epoch: "e7ab1de3e42a", top: 16, witness: 4254575380, floor: { offset: 8 } });
    expect(head.floor.witness).toBeGreaterThan(0);

    const entries = await readAll(log);
    expect(entries.map(({ offset, data }) => [offset, data])).toEqual([
      [7, "shipped"],
      [10, "a"],
      [12, "3"],
      [13, "grüße 🎉"],
      [14, "4"],
      [15, "paid"],
      [16, "last"],
    ]);
    const all = (await read(log, 8, 100, undefined, { conflate: false })).entries;
    expect(all.map(({ offset }) => offset)).toEqual([9, 10, 11, 12, 13, 14, 15, 16]);
    expect(all.map(({ previousWitness }) => previousWitness)).toEqual([
      head.floor.witness,
      ...all.slice(0, -1).map(({ witness }) => witness),
    ]);
    expect((await read(log, 0, 100, selecting("prices"))).conflated).toBe(2);
    expect((await values(log, selecting("orders/1", "prices"))).map(({ data }) => data)).toEqual(["shipped", "3", "4"]);
    expect([await trimmed(log, selecting("quiet")), await trimmed(log, selecting("prices"))]).toEqual([8, 0]);
    // Superseded entries of a channel with values may be gone, up to the floor. Of others, there are none.
    const lost = (name: string) => trimmed(log, selecting(name), { conflate: false });
    expect([await lost("quiet"), await lost("prices"), await lost("other")]).toEqual([8, 8, 0]);
    expect([await witnessAt(log, 16), await witnessAt(log, 8), await witnessAt(log, 6)]).toEqual([
      4254575380,
      head.floor.witness,
      undefined,
    ]);

    const [appended] = await log.append([entry("prices", "5", { key: "eur" })]);
    expect(appended).toMatchObject({ epoch: "e7ab1de3e42a", offset: 17 });
    expect((await read(log, 0, 100, selecting("prices"))).conflated).toBe(3);
    await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(9));
    expect(await witnessAt(log, 9)).toBe(1167650335);
  });

  test("remembers idempotency keys within their window", async () => {
    const time = Date.now();
    const path = old(`UPDATE sse_answer SET time = iif(key = 'try 2', ${time - 1_000}, ${time - 600_000})`);
    const log = openLog({ path });
    const [again, tooLate] = await log.append([
      entry("chat", "last", { idempotencyKey: "try 2" }),
      entry("chat", "once", { idempotencyKey: "try 1" }),
    ]);
    expect(again).toMatchObject({ offset: 16, witness: 4254575380, duplicate: true });
    expect(tooLate?.offset).toBe(17);
  });

  test("weighs as before: a byte limit trims what it would have trimmed", async () => {
    // The last three weigh 49, 55 and 47.
    const log = openLog({ path: old(), maxBytes: 110 });
    await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(14));
    await log.append([entry("chat", "", {})]);
    await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(15));
  });

  test("a time in the future does not keep later entries", async () => {
    const time = Date.now();
    const path = old(`UPDATE sse_entry SET time = iif(offset = 10, ${time + 1e12}, ${time - 7_200_000})`);
    const log = openLog({ path, maxAge: 200 });
    await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(15), { timeout: 5_000 });
  });

  test("nothing of it changes when the migration fails", async () => {
    const path = old("CREATE TABLE sse_witness (other)");
    expect(() => openLog({ path })).toThrow(/table sse_witness already exists/);
    const database = open(path);
    database.exec("DROP TABLE sse_witness");
    expect(database.prepare("SELECT version FROM sse_log").get()).toEqual({ version: 1 });
    expect((await openLog({ path }).head()).top).toBe(16);
  });

  test("a process that still runs the older version stores nothing", async () => {
    const path = old();
    const database = open(path);
    // Prepared before, as a running process has them.
    const statements = version1Writes.map(([sql, ...values]) => ({ statement: database.prepare(sql), values }));
    const log = openLog({ path });
    const before = await readAll(log);
    for (const { statement, values } of statements) expect(() => statement.run(...values)).toThrow();
    for (const [sql, ...values] of version1Writes) expect(() => database.prepare(sql).run(...values)).toThrow();
    expect(await readAll(log)).toEqual(before);
  });

  test("several processes that open it at the same time agree", async () => {
    const path = old();
    const program = join(import.meta.dirname, "fixtures/open-and-append.ts");
    const children = [1, 2, 3, 4].map((name) => {
      return spawn(process.execPath, [program, path, `${name}`], { stdio: ["ignore", "inherit", "inherit"] });
    });
    expect(await Promise.all(children.map(async (child) => (await once(child, "close"))[0]))).toEqual([0, 0, 0, 0]);
    const log = openLog({ path });
    expect(await log.head()).toMatchObject({ epoch: "e7ab1de3e42a", top: 20 });
    const names = (await readAll(log)).slice(-4).map(({ data }) => data);
    expect(names.sort()).toEqual(["1", "2", "3", "4"]);
  });
});

test("a file of schema version 2 keeps its losses, and may have lost any superseded entry of a channel with values", async () => {
  const path = file();
  const before = openLog({ path, maxEvents: 2 });
  await before.append([entry("prices", "1", { key: "eur" }), ...[2, 3, 4, 5].map((n) => entry("chat", `${n}`))]);
  await vi.waitFor(async () => expect((await before.head()).floor.offset).toBe(3));
  await before.close();
  open(path).exec("DROP TABLE sse_superseded; UPDATE sse_log SET version = 2");
  const log = openLog({ path });
  const lost = async (name: string) => [
    await trimmed(log, selecting(name), { conflate: true }),
    await trimmed(log, selecting(name), { conflate: false }),
  ];
  expect([await lost("prices"), await lost("chat"), await lost("other")]).toEqual([
    [0, 3],
    [3, 3],
    [0, 0],
  ]);
});

test("a file that a newer version updates while the log runs takes nothing more", async () => {
  const path = file();
  const log = openLog({ path });
  await log.append([entry("a")]);
  open(path).exec(`UPDATE sse_log SET version = ${schemaVersion + 1}`);
  const failure = {
    code: "ERR_SSE_LOG",
    message: expect.stringMatching(/newer version .*schema \d+.*update the package/),
  };
  await expect(log.append([entry("a")])).rejects.toMatchObject({ ...failure, stored: false });
  await expect(log.head()).rejects.toMatchObject(failure);
});

/** All statements with which version 1 wrote, with values. */
const version1Writes: [sql: string, ...values: (string | number | null)[]][] = [
  ["INSERT INTO sse_entry VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?)", 17, 1, 1, 1, "chat", "message", null, null, "data"],
  [
    `UPDATE sse_entry SET superseded = 1
     WHERE channel = ? AND key = ? AND superseded = 0 AND offset > (SELECT trimmed FROM sse_log)`,
    "prices",
    "eur",
  ],
  [
    "DELETE FROM sse_entry WHERE channel = ? AND key = ? AND superseded = 0 AND offset <= (SELECT trimmed FROM sse_log)",
    "orders/1",
    "status",
  ],
  ["INSERT OR REPLACE INTO sse_answer VALUES (?, ?, ?, ?, ?)", "chat", "key", 1, 1, 1],
  ["UPDATE sse_log SET trimmed = ?, trimmed_weight = ?", 16, 1],
  [
    "DELETE FROM sse_answer WHERE (channel, key) IN (SELECT channel, key FROM sse_answer WHERE time <= ? LIMIT 500)",
    9e12,
  ],
  ["UPDATE sse_log SET floor = ?", 16],
];
