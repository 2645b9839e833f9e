import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import BetterDatabase from "better-sqlite3";
import { describe, expect, test, vi } from "vitest";
import type { CompleteLog } from "../../../src/log/complete.ts";
import type { LogEntry } from "../../../src/log/log.ts";
import type { SqliteLogOptions } from "../../../src/logs/sqlite/index.ts";
import { type HubClient, joined, openHub } from "../../support/hub.ts";
import { entry, file, open, openLog, readAll, selecting, track } from "../../support/sqlite.ts";

const openers: [string, (path: string) => SqliteLogOptions][] = [
  ["path", (path) => ({ path })],
  ["node:sqlite", (path) => ({ database: open(path) })],
  ["better-sqlite3", (path) => ({ database: track(new BetterDatabase(path)) })],
];

const losses: [string, (path: string) => void][] = [
  ["removed", (path) => rmSync(path)],
  ["removed with all that belongs to it", (path) => remove(path)],
  ["renamed", (path) => renameSync(path, `${path}.old`)],
  ["replaced by a copy", replaceByCopy],
  ["replaced by another log", replaceByLog],
  ["without its WAL", (path) => rmSync(`${path}-wal`)],
];

describe.each(openers)("a file that is lost while the log runs (%s)", (_, options) => {
  test.each(losses)("%s: no call succeeds", async (_, lose) => {
    const path = file();
    const log = openLog(options(path));
    await log.append([entry("a", "before")]);
    lose(path);
    await expectLost(log, path);
  });

  test("put back: the log continues", async () => {
    const path = file();
    const log = openLog(options(path));
    await log.append([entry("a", "1")]);
    renameSync(path, `${path}.old`);
    await expect(log.append([entry("a", "lost")])).rejects.toMatchObject({ code: "ERR_SSE_LOG", stored: false });
    renameSync(`${path}.old`, path);
    await log.append([entry("a", "2")]);
    expect((await readAll(log)).map(({ data }) => data)).toEqual(["1", "2"]);
  });
});

/** Losses after which a file is there, with the data that a log has then. */
const replacements: [string, (path: string) => void, string[]][] = [
  ["replaced by a copy", replaceByCopy, ["before", "kept"]],
  ["replaced by a copy that was written elsewhere", replaceByContinuedCopy, ["before", "elsewhere"]],
  ["replaced by another log", replaceByLog, []],
  ["removed, and then restored from a copy", restoreLater, ["before", "kept"]],
];

describe("a file that takes the place of a lost one", () => {
  test.each(replacements)(
    "%s: the log continues with it, in every process, and so do tails",
    async (_, replace, data) => {
      const path = file();
      const [log, other] = [openLog({ path }), openLog({ path })];
      await log.append([entry("a", "before")]);
      await log.append([entry("a", "kept")]);
      const { entries, errors } = follow(log, at(await log.head()));
      replace(path);
      await expect(log.append([entry("a", "rejected")])).rejects.toMatchObject({ code: "ERR_SSE_LOG", stored: false });
      await vi.waitFor(() => log.append([entry("a", "after")]), { timeout: 5_000 });
      await vi.waitFor(() => other.append([entry("a", "from the other")]), { timeout: 5_000 });
      const expected = [...data, "after", "from the other"];
      for (const each of [log, other, openLog({ path })]) {
        const found = await readAll(each);
        expect(found.map(({ data }) => data)).toEqual(expected);
        expectChain(found);
      }
      await vi.waitFor(() => expect(entries.at(-1)?.data).toBe("from the other"), { timeout: 5_000 });
      expect(errors.length).toBeGreaterThan(0);
      expect(open(path).prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    },
  );

  test("is declared to the clients of a hub, which then receive what is published", async () => {
    const path = file();
    const { hub, errors } = openHub({ log: openLog({ path }) });
    const channel = hub.channel("a");
    await channel.dispatch("n", "before");
    const client = await joined(hub, "a");
    for (const n of [1, 2]) await channel.dispatch("n", `kept ${n}`);
    replaceByContinuedCopy(path);
    await vi.waitFor(() => channel.dispatch("n", "after"), { timeout: 5_000 });
    // In its stream, or when it reconnects after the end of it.
    const isTold = ({ types, ended }: HubClient) => ended || types.includes("sse:reset");
    await vi.waitFor(() => expect(isTold(client)).toBe(true), { timeout: 5_000 });
    const present = client.ended ? await client.reconnect() : client;
    expect(present.types).toContain("sse:reset");
    await channel.dispatch("n", "later");
    await vi.waitFor(() => expect(present.data.at(-1)).toBe("later"), { timeout: 5_000 });
    for (const [stage, message] of errors.splice(0)) {
      expect([stage, message]).toEqual(["tail", expect.stringContaining("has lost its file")]);
    }
  });

  test("is not opened while it is still copied", async () => {
    const path = file();
    const log = openLog({ path });
    await log.append([entry("a", "x".repeat(200_000))]);
    await log.close();
    const bytes = readFileSync(path);
    const lost = openLog({ path });
    remove(path);
    await expect(lost.head()).rejects.toMatchObject({ code: "ERR_SSE_LOG" });
    for (let end = 8_192; end < bytes.length; end += 8_192) {
      writeFileSync(path, bytes.subarray(0, end));
      await expect(lost.append([entry("a", "early")])).rejects.toThrow("has lost its file");
    }
    writeFileSync(path, bytes);
    await vi.waitFor(() => lost.append([entry("a", "late")]), { timeout: 5_000 });
    expect((await readAll(lost)).map(({ data }) => data.slice(-4))).toEqual(["xxxx", "late"]);
  });

  test("that is damaged fails every call with the reason, until a good one is there", async () => {
    const path = file();
    const log = openLog({ path });
    await log.append([entry("a", "before")]);
    replaceByCopy(path);
    const copy = readFileSync(path);
    rmSync(path);
    writeFileSync(path, "This is not a database. ".repeat(1_000));
    await expect(log.head()).rejects.toThrow("has lost its file");
    await vi.waitFor(() => expect(log.head()).rejects.toThrow("damaged"), { timeout: 5_000 });
    writeFileSync(path, copy);
    await vi.waitFor(() => log.append([entry("a", "after")]), { timeout: 5_000 });
    expect((await readAll(log)).map(({ data }) => data)).toEqual(["before", "after"]);
  });

  test.each<[string, (path: string) => SqliteLogOptions, (path: string) => void]>([
    ["of a database that the application has opened", (path) => ({ database: open(path) }), replaceByCopy],
    ["of a WAL alone", (path) => ({ path }), (path) => rmSync(`${path}-wal`)],
  ])("is not opened in place %s", async (_, options, replace) => {
    const path = file();
    const log = openLog(options(path));
    await log.append([entry("a", "before")]);
    replace(path);
    const begin = performance.now();
    while (performance.now() - begin < 700) await expect(log.head()).rejects.toThrow("has lost its file");
  });

  test("a log that is closed while its file is lost stays closed", async () => {
    const path = file();
    const log = openLog({ path });
    await log.append([entry("a", "before")]);
    remove(path);
    await expect(log.head()).rejects.toMatchObject({ code: "ERR_SSE_LOG" });
    await log.close();
    await expect(log.head()).rejects.toMatchObject({ code: "ERR_SSE_CLOSED" });
    expect(existsSync(path)).toBe(false);
  });
});

test("a lost file is noticed by tails while nothing is published, and its return", async () => {
  const path = file();
  const log = openLog({ path });
  const other = openLog({ path });
  const { entries, errors } = follow(log, await log.head());
  await log.append([entry("a", "1")]);
  renameSync(path, `${path}.old`);
  await vi.waitFor(() => expect(errors.length).toBeGreaterThan(0), { timeout: 5_000 });
  expect(errors[0]).toMatchObject({ code: "ERR_SSE_LOG", message: expect.stringContaining("has lost its file") });
  renameSync(`${path}.old`, path);
  await other.append([entry("a", "2")]);
  await vi.waitFor(() => expect(entries.map(({ data }) => data)).toEqual(["1", "2"]), { timeout: 5_000 });
});

test("the folder of the process may change", async () => {
  const path = file();
  const before = process.cwd();
  process.chdir(dirname(path));
  try {
    const log = openLog({ path: basename(path) });
    process.chdir(before);
    await log.append([entry("a")]);
    rmSync(path);
    await expectLost(log, path);
  } finally {
    process.chdir(before);
  }
});

test("a log that lost its file leaves the files of the next one alone when it closes", async () => {
  const path = file();
  const lost = openLog({ path });
  await lost.append([entry("a", "lost")]);
  remove(path);
  const next = openLog({ path });
  await next.append([entry("a", "kept")]);
  await lost.close();
  expect(existsSync(`${path}-wal`)).toBe(true);
  await next.append([entry("a", "kept too")]);
  expect((await readAll(openLog({ path }))).map(({ data }) => data)).toEqual(["kept", "kept too"]);
});

describe("a copy that is restored while logs and tails run", () => {
  test("by SQLite's backup: tails deliver what is there now, from the entry that they had last", async () => {
    const path = file();
    const copy = file();
    const log = openLog({ path });
    await log.append([entry("a", "1"), entry("a", "2")]);
    open(path).prepare("VACUUM INTO ?").run(copy);
    await log.append([entry("a", "3"), entry("a", "4")]);
    const { entries, errors } = follow(log, {
      ...(await log.head()),
      offset: 0,
      witness: (await log.witnesses([0]))[0],
    });
    await vi.waitFor(() => expect(entries).toHaveLength(4));

    // The copy has been continued elsewhere: at offset 3 is another entry, then some that the tail never had. One transaction
    // brings them all, since a tail that wakes before an append that follows delivers the newest restored entry first.
    const elsewhere = openLog({ path: copy });
    await elsewhere.append([entry("a", "3 again"), entry("a", "4 again"), entry("a", "5")]);
    await backup(open(copy), path);
    await vi.waitFor(() => expect(entries.at(-1)?.data).toBe("5"), { timeout: 5_000 });
    expect(entries.slice(4).map(({ data }) => data)).toEqual(["4 again", "5"]);
    expect(entries[4]?.previousWitness).not.toBe(entries[2]?.witness);
    expect(errors).toEqual([]);
  });

  test("nothing is published after it: tails deliver the newest entry again", async () => {
    const path = file();
    const copy = file();
    const log = openLog({ path });
    await log.append([entry("a", "1"), entry("a", "2")]);
    open(path).prepare("VACUUM INTO ?").run(copy);
    await log.append([entry("a", "3")]);
    const { entries } = follow(log, { ...(await log.head()), offset: 0, witness: (await log.witnesses([0]))[0] });
    await vi.waitFor(() => expect(entries).toHaveLength(3));
    await backup(open(copy), path);
    await vi.waitFor(() => expect(entries.map(({ data }) => data)).toEqual(["1", "2", "3", "2"]), { timeout: 5_000 });
  });

  test("of another log: tails begin at its beginning", async () => {
    const path = file();
    const copy = file();
    const another = openLog({ path: copy });
    await another.append([entry("b", "another")]);
    await another.close();
    const log = openLog({ path });
    await log.append([entry("a", "1"), entry("a", "2")]);
    const { entries, epochs } = follow(log, at(await log.head()));
    await backup(open(copy), path);
    await vi.waitFor(() => expect(entries.map(({ data }) => data)).toEqual(["another"]), { timeout: 5_000 });
    expect(epochs).toEqual([(await log.head()).epoch]);
  });

  test("a cursor from before, whose entry was trimmed since, is not mistaken for one of this log", async () => {
    const path = file();
    const copy = file();
    const log = openLog({ path, maxEvents: 5 });
    await log.append([entry("a", "1"), entry("a", "2")]);
    open(path).prepare("VACUUM INTO ?").run(copy);
    const [lost] = await log.append([entry("a", "3")]);
    await backup(open(copy), path);
    const [kept] = await log.append(Array.from({ length: 20 }, (_, i) => entry("noise", `${i}`)));
    await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(17));
    const questions = [lost, kept, { epoch: "other", offset: 3, witness: 1 }].map((cursor) => ({
      cursor: cursor ?? null,
      selection: selecting("a"),
    }));
    const { answers } = await log.locate(questions);
    expect(answers.map(({ verification }) => verification)).toEqual(["other", "same", "other"]);
  });

  test.each([
    ["by then the WAL is empty", true],
    ["the WAL has newer pages", false],
  ])("over the file's bytes, %s: no log continues with pages of the old file", async (_, isEmpty) => {
    const path = file();
    const copy = file();
    const [log, other] = [openLog({ path }), openLog({ path })];
    const append = (to: CompleteLog, data: string, count: number) =>
      to.append(Array.from({ length: count }, (_, i) => entry(`c${i % 7}`, data.padEnd(300))));
    await append(log, "old", 6_000);
    const database = open(path);
    database.prepare("VACUUM INTO ?").run(copy);
    const { entries, errors } = follow(log, at(await log.head()));
    await append(log, "lost", 6_000);
    if (isEmpty) database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    await vi.waitFor(() => expect(entries).toHaveLength(6_000));
    writeFileSync(path, readFileSync(copy));
    for (const writer of [log, other]) {
      await append(writer, "new", 10);
      expectChain(await readAll(log, undefined, 5_000));
      expectChain(await readAll(other, undefined, 5_000));
    }
    const { top, witness } = await log.head();
    // Where the WAL has pages of its own, what was lost may have been restored from there.
    expect(isEmpty ? top : 6_020).toBe(6_020);
    await vi.waitFor(() => expect(entries.at(-1)).toMatchObject({ offset: top, witness }), { timeout: 5_000 });
    expect(errors).toEqual([]);
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  });
});

/** Each entry follows on the one before. */
function expectChain(entries: readonly LogEntry[]): void {
  const broken = entries.filter((each, i) => {
    const before = entries[i - 1];
    return before !== undefined && (each.offset !== before.offset + 1 || each.previousWitness !== before.witness);
  });
  expect(entries.length).toBeGreaterThan(0);
  expect(broken).toEqual([]);
}

async function expectLost(log: CompleteLog, path: string): Promise<void> {
  const message = expect.stringContaining(`The log has lost its file ${JSON.stringify(path)}`);
  const failure = { code: "ERR_SSE_LOG", stored: false, message };
  const page = { limit: 1, maxBytes: 1, conflate: true };
  await expect(log.append([entry("a", "lost")])).rejects.toMatchObject(failure);
  await expect(log.head()).rejects.toMatchObject(failure);
  await expect(log.read(0, page)).rejects.toMatchObject(failure);
  await expect(log.witnesses([1])).rejects.toMatchObject(failure);
  await expect(log.last(1, selecting("a"))).rejects.toMatchObject(failure);
  await expect(log.latestByKey(selecting("a"), { after: 0, upTo: 1, maxBytes: 1 })).rejects.toMatchObject(failure);
  await expect(log.locate([{ cursor: null, selection: selecting("a") }])).rejects.toMatchObject(failure);
}

function follow(
  log: CompleteLog,
  position: { epoch: string; offset?: number; top?: number; witness: number | undefined },
) {
  const { epoch, offset = position.top ?? 0, witness = 0 } = position;
  const entries: LogEntry[] = [];
  const epochs: string[] = [];
  const errors: unknown[] = [];
  log.tail(
    { epoch, offset, witness },
    (batch) => {
      entries.push(...batch.entries);
      epochs.push(batch.epoch);
    },
    (error) => errors.push(error),
  );
  return { entries, epochs, errors };
}

function at({ epoch, top, witness }: { epoch: string; top: number; witness: number }) {
  return { epoch, offset: top, witness };
}

function replaceByCopy(path: string): void {
  open(path).exec("PRAGMA wal_checkpoint(PASSIVE)");
  copyFileSync(path, `${path}.copy`);
  renameSync(`${path}.copy`, path);
}

/** The newest entry of the copy is another one than that of the lost file, and an empty WAL. */
function replaceByContinuedCopy(path: string): void {
  const copy = file();
  open(path).prepare("VACUUM INTO ?").run(copy);
  const database = new DatabaseSync(copy);
  database.exec(
    "UPDATE sse_entry SET data = 'elsewhere', witness = 7 WHERE offset = (SELECT max(offset) FROM sse_entry)",
  );
  database.close();
  copyFileSync(copy, `${path}.copy`);
  renameSync(`${path}.copy`, path);
}

function restoreLater(path: string): void {
  const copy = file();
  open(path).prepare("VACUUM INTO ?").run(copy);
  remove(path);
  setTimeout(() => {
    copyFileSync(copy, `${path}.copy`);
    renameSync(`${path}.copy`, path);
  }, 20);
}

function replaceByLog(path: string): void {
  remove(path);
  openLog({ path });
}

function remove(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
}
