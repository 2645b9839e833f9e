import { DatabaseSync } from "node:sqlite";
import BetterDatabase from "better-sqlite3";
import { describe, expect, test, vi } from "vitest";
import { weightOf } from "../../../src/log/retention.ts";
import { sqliteLog } from "../../../src/logs/sqlite/index.ts";
import { at, read, trimmed, values } from "../../../src/testing/log/ask.ts";
import { entry, file, open, openLog, readAll, recording, selecting, track } from "../../support/sqlite.ts";

test("the appends of one tick are one transaction", async () => {
  const { database, runs } = recording(open(file()));
  const log = openLog({ database });
  runs.length = 0;
  await Promise.all(Array.from({ length: 200 }, () => log.append([entry("a")])));
  expect(runs.filter((sql) => sql === "BEGIN IMMEDIATE")).toHaveLength(1);
  await log.append([entry("a")]);
  expect(runs.filter((sql) => sql === "BEGIN IMMEDIATE")).toHaveLength(2);
});

test("durability: what an application set for its own connection is raised and never lowered", () => {
  const synchronous = (durability: "process" | "power", before: number) => {
    const database = open(file());
    database.exec(`PRAGMA synchronous = ${before}`);
    openLog({ database, durability });
    return database.prepare("PRAGMA synchronous").get()?.synchronous;
  };
  expect([synchronous("process", 0), synchronous("process", 2), synchronous("power", 1)]).toEqual([1, 2, 2]);
});

test("close leaves a database open that was brought", async () => {
  const database = open(file());
  await sqliteLog({ database }).close();
  expect(database.prepare("SELECT version FROM sse_log").get()).toEqual({ version: 3 });
});

test("integers as bigint work too", async () => {
  const database = track(new BetterDatabase(file()).defaultSafeIntegers(true));
  const log = openLog({ database, maxEvents: 3 });
  await log.append([entry("a", "", { key: "k" }), ...Array.from({ length: 9 }, () => entry("a"))]);
  await vi.waitFor(async () => expect(await log.head()).toMatchObject({ top: 10, floor: { offset: 7 } }));
  expect((await readAll(log, selecting("a"))).map(({ offset }) => offset)).toEqual([1, 8, 9, 10]);
});

describe("a quiet channel", () => {
  test("costs what it delivers: one event among a million", async () => {
    const path = file();
    await sqliteLog({ path, maxEvents: 2_000_000 }).close();
    fill(path, 1_000_000, 500_000);
    const log = openLog({ path, maxEvents: 2_000_000 });
    const quiet = await time(async () => {
      const { entries, through } = await read(log, 0, 1_000, selecting("quiet"));
      expect([entries.length, entries[0]?.offset, through]).toEqual([1, 500_000, 1_000_000]);
    });
    const page = await time(async () => expect((await read(log, 0, 1_000)).entries).toHaveLength(1_000));
    const last = await time(async () => expect(await log.last(5, selecting("quiet"))).toHaveLength(1));
    process.stdout.write(
      `One event among a million: ${(page / quiet).toFixed(0)} times faster than one page of a thousand of the log, ` +
        `${((page * 1_000) / quiet).toFixed(0)} times faster than all of it\n`,
    );
    // The log is a thousand such pages: even one of them must cost more than the channel.
    expect(quiet).toBeLessThan(page);
    expect(last).toBeLessThan(page);
  });

  test("is found by an index, whatever is asked", async () => {
    const inner = open(file());
    const { database, runs } = recording(inner);
    const log = openLog({ database, maxEvents: 5 });
    for (const selection of [selecting("a"), { channels: [], prefixes: ["a"] }]) {
      await log.append([entry("a", "", { key: "k" }), ...Array.from({ length: 9 }, () => entry("a"))]);
      const { top, epoch, witness } = await log.head();
      await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(top - 5));
      await trimmed(log, selection);
      await read(log, 0, 10, selection);
      await read(log, 0, 10, selection, { conflate: false });
      await log.last(10, selection);
      await values(log, selection);
      await log.witnesses([1, top - 1]);
      await log.locate([{ cursor: { epoch, offset: 1, witness }, selection }]);
      const after = await at(log, top);
      await log.append([entry("a", "", { key: "k", after, idempotencyKey: "i" })]);
    }
    const statements = [...new Set(runs)].filter((sql) => /\bsse_/.test(sql) && !sql.includes("sqlite_master"));
    expect(statements.length).toBeGreaterThan(25);
    for (const sql of statements) {
      const values = Array.from(sql.matchAll(/\?/g), () => "");
      const plan = inner.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
      const scans = plan.map(({ detail }) => String(detail)).filter((step) => /^SCAN sse_(?!log)/.test(step));
      // The first few of a table or an index are bounded.
      expect(/ORDER BY offset DESC LIMIT \d+/.test(sql) ? [] : scans, sql).toEqual([]);
    }
  });
});

test("prefix: more channels than are read one by one", async () => {
  const log = openLog({ path: file() });
  const names = Array.from({ length: 3_000 }, (_, i) => `user/${i % 1_500}`);
  await log.append(names.map((name, i) => entry(name, `${i}`, i % 10 === 0 ? { key: "k" } : {})));
  await log.append([entry("other"), entry("user/1", "last")]);
  const users = { channels: ["other"], prefixes: ["user/"] };
  const found = await readAll(log, users, 700);
  // Every tenth of the first half is superseded by that of the second.
  expect(found).toHaveLength(3_002 - 150);
  expect((await read(log, 0, 10_000, users)).conflated).toBe(150);
  expect((await log.last(3, users)).map(({ offset }) => offset)).toEqual([3_000, 3_001, 3_002]);
  // Far from the end.
  for (let i = 0; i < 5; i++) await log.append(Array.from({ length: 1_000 }, () => entry("noise")));
  expect((await log.last(3, users)).map(({ offset }) => offset)).toEqual([3_000, 3_001, 3_002]);
  const half = { channels: ["other"], prefixes: ["user/", "\ud83c"] };
  expect((await log.last(3, half)).map(({ offset }) => offset)).toEqual([3_000, 3_001, 3_002]);
  expect(await values(log, users)).toHaveLength(150);
});

test("memory of channels is bounded, and a forgotten channel is declared for all of them", async () => {
  const path = file();
  const log = openLog({ path, maxEvents: 10 });
  const channels = 70_000;
  for (let i = 0; i < channels; i += 10_000) {
    await log.append(Array.from({ length: 10_000 }, (_, n) => entry(`c${i + n}`)));
  }
  await log.append(Array.from({ length: 10 }, () => entry("kept")));
  const other = open(path);
  const remembered = () => other.prepare("SELECT count(*) AS count FROM sse_trimmed").get()?.count;
  await vi.waitFor(
    async () => {
      expect((await log.head()).floor.offset).toBe(channels);
      expect(remembered()).toBe(65_536);
    },
    { timeout: 20_000 },
  );
  const floor = channels - 65_536;
  expect(await trimmed(log, selecting("c0"))).toBe(floor);
  expect(await trimmed(log, selecting(`c${channels - 1}`))).toBe(channels);
  const after = await at(log, channels);
  await expect(log.append([entry(`c${channels - 1}`, "", { after })])).resolves.toHaveLength(1);
  await expect(log.append([entry("kept", "", { after })])).rejects.toMatchObject({ code: "ERR_SSE_CONFLICT" });
  await log.append([entry("kept", "", { after: await at(log, channels + 10) })]);
});

/** Many entries of a hundred channels and one of a quiet one, faster than by publishing them. */
function fill(path: string, count: number, quiet: number): void {
  const database = new DatabaseSync(path);
  const weight = weightOf({ channel: "noise 00", type: "message", data: "data" });
  database.exec(`
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO sse_entry
    SELECT i, 0, i, i - 1, ${Date.now()}, ${Date.now()}, ${weight}, i * ${weight}, NULL,
      iif(i = ${quiet}, 'quiet', 'noise ' || (i % 100)), 'message', NULL, NULL, 'data'
    FROM n
  `);
  database.close();
}

/** The shortest of several runs, which is the least disturbed by others on this machine. */
async function time(work: () => Promise<unknown>): Promise<number> {
  let shortest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    await work();
    shortest = Math.min(shortest, performance.now() - start);
  }
  return shortest;
}
