import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { CompleteLog } from "../../../src/log/complete.ts";
import type { LogEntry } from "../../../src/log/log.ts";
import { sqliteLog } from "../../../src/logs/sqlite/index.ts";
import { entry, file, open, openLog, recording } from "../../support/sqlite.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

async function follow(log: CompleteLog) {
  const { epoch, top, witness } = await log.head();
  const entries: LogEntry[] = [];
  const errors: unknown[] = [];
  const position = { epoch, offset: top, witness };
  const tail = log.tail(
    position,
    (batch) => entries.push(...batch.entries),
    (error) => errors.push(error),
  );
  return { entries, errors, tail };
}

/** How often the database was asked for its version in a time. */
async function looks(runs: string[], milliseconds: number): Promise<number> {
  const isLook = (sql: string) => sql === "PRAGMA data_version";
  const before = runs.filter(isLook).length;
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return runs.filter(isLook).length - before;
}

describe("with a watch over the WAL", () => {
  test("an idle log looks about once a second, and is woken by what another connection stores", async () => {
    const path = file();
    const { database, runs } = recording(open(path));
    const { entries } = await follow(openLog({ database }));
    const other = openLog({ path });
    await vi.waitFor(async () => expect(await looks(runs, 500)).toBeLessThan(2), { timeout: 5_000 });
    for (let i = 1; i <= 5; i++) {
      await other.append([entry("a", `${i}`)]);
      // Polling at the idle rate, it would take five seconds.
      await vi.waitFor(() => expect(entries).toHaveLength(i), { timeout: 500, interval: 1 });
    }
    await vi.waitFor(async () => expect(await looks(runs, 500)).toBeLessThan(2), { timeout: 5_000 });
  });

  test("events that it loses cost a second, and then the log polls", async () => {
    const path = file();
    const { database, runs } = recording(open(path));
    let report = () => {};
    const watch = vi.spyOn(fs, "watch").mockImplementation(((_: string, __: object, listener: () => void) => {
      report = listener;
      return { close() {}, on() {} };
    }) as never);
    const { entries } = await follow(openLog({ database }));
    expect(watch).toHaveBeenCalledWith(`${path}-wal`, { persistent: false }, expect.any(Function));
    report();
    await vi.waitFor(async () => expect(await looks(runs, 500)).toBeLessThan(2), { timeout: 5_000 });
    const other = openLog({ path });
    await other.append([entry("a", "1")]);
    await vi.waitFor(() => expect(entries).toHaveLength(1), { timeout: 1_500 });
    expect(await looks(runs, 500)).toBeGreaterThan(5);
  });

  test.each<[string, () => never]>([
    ["the limit on watches is reached", () => fail("ENOSPC")],
    ["it is not permitted", () => fail("EACCES")],
  ])("%s: the log polls", async (_, refuse) => {
    vi.spyOn(fs, "watch").mockImplementation(refuse);
    const path = file();
    const { entries, errors } = await follow(openLog({ path }));
    await openLog({ path }).append([entry("a")]);
    await vi.waitFor(() => expect(entries).toHaveLength(1), { timeout: 1_000, interval: 1 });
    expect(errors).toEqual([]);
  });

  test("a watch that fails later is given up, and the log polls", async () => {
    const path = file();
    let failWatch = (_: Error) => {};
    const close = vi.fn();
    vi.spyOn(fs, "watch").mockImplementation((() => ({
      close,
      on(_: "error", listener: (error: Error) => void) {
        failWatch = listener;
      },
    })) as never);
    const { entries, errors } = await follow(openLog({ path }));
    failWatch(new Error("ENOSPC"));
    expect(close).toHaveBeenCalledTimes(1);
    await openLog({ path }).append([entry("a")]);
    await vi.waitFor(() => expect(entries).toHaveLength(1), { timeout: 1_000, interval: 1 });
    expect(errors).toEqual([]);
  });

  test("there is one, as long as there are tails", async () => {
    const close = vi.fn();
    const watch = vi.spyOn(fs, "watch").mockImplementation((() => ({ close, on() {} })) as never);
    const log = openLog({ path: file() });
    expect(watch).not.toHaveBeenCalled();
    const tails = [await follow(log), await follow(log)];
    expect(watch).toHaveBeenCalledTimes(1);
    tails[0]?.tail.close();
    tails[0]?.tail.close();
    expect(close).not.toHaveBeenCalled();
    tails[1]?.tail.close();
    expect(close).toHaveBeenCalledTimes(1);
    await follow(log);
    await log.close();
    expect([watch.mock.calls.length, close.mock.calls.length]).toEqual([2, 2]);
  });
});

describe("without a file", () => {
  test("an own database in memory: the log does not look for changes", async () => {
    const watch = vi.spyOn(fs, "watch");
    const timers = vi.spyOn(globalThis, "setTimeout");
    const log = openLog({ path: ":memory:" });
    const { entries } = await follow(log);
    timers.mockClear();
    await new Promise((resolve) => setImmediate(resolve));
    expect(timers).not.toHaveBeenCalled();
    expect(watch).not.toHaveBeenCalled();
    await log.append([entry("a")]);
    expect(entries).toHaveLength(1);
  });

  test("several logs over one connection see each other's events", async () => {
    const database = open(":memory:");
    const [log, other] = [openLog({ database }), openLog({ database })];
    const { entries } = await follow(log);
    await other.append([entry("a")]);
    await vi.waitFor(() => expect(entries).toHaveLength(1), { timeout: 1_000, interval: 1 });
  });
});

test("a tail runs in the context of no request", async () => {
  const storage = new AsyncLocalStorage<string>();
  const path = file();
  const [log, other] = [openLog({ path }), openLog({ path })];
  const { epoch, witness } = await log.head();
  await log.append([entry("a", "1")]);
  const found: unknown[] = [];
  storage.run("request", () =>
    log.tail(
      { epoch, offset: 0, witness },
      ({ entries }) => found.push(...entries.map(({ data }) => [data, storage.getStore()])),
      () => {},
    ),
  );
  await vi.waitFor(() => expect(found).toHaveLength(1));
  await other.append([entry("a", "2")]);
  await vi.waitFor(() => expect(found).toHaveLength(2), { timeout: 2_000 });
  expect(found).toEqual([
    ["1", undefined],
    ["2", undefined],
  ]);
});

test("a tail does not keep the process alive", async () => {
  const program = join(import.meta.dirname, "fixtures/tail-only.ts");
  const child = spawn(process.execPath, [program, file()], { stdio: ["ignore", "inherit", "inherit"] });
  expect(await once(child, "close")).toEqual([0, null]);
});

test("text in another encoding is refused, since names would be in another order", () => {
  const database = new DatabaseSync(":memory:");
  database.exec("PRAGMA encoding = 'UTF-16'");
  expect(() => sqliteLog({ database })).toThrow(/its encoding is UTF-16le.*use a database with the encoding UTF-8/);
  database.close();
});

function fail(code: string): never {
  throw Object.assign(new Error(code), { code });
}
