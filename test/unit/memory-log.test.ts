import { afterEach, describe, expect, test, vi } from "vitest";
import type { CompleteLog } from "../../src/log/complete.ts";
import type { ChannelSelection, NewEntry, Position } from "../../src/log/log.ts";
import { type MemoryLogOptions, memoryLog } from "../../src/logs/memory/index.ts";
import { at, read, trimmed } from "../../src/testing/log/ask.ts";
import { expectConsole } from "../support/console.ts";
import { tick } from "../support/web.ts";

afterEach(() => void vi.useRealTimers());

test("one of several processes: the log warns once that its events do not reach the others", () => {
  const lines = expectConsole(/memoryLog\(\) is used in one of several processes.*sqliteLog\(\)/);
  memoryLog();
  expect(lines).toHaveLength(0);
  vi.stubEnv("NODE_APP_INSTANCE", "1");
  memoryLog();
  memoryLog();
  vi.unstubAllEnvs();
  expect(lines).toHaveLength(1);
});

test.each<[string, object, RegExp]>([
  ["maxEvents", { maxEvents: 0.5 }, /maxEvents is 0.5; it takes a whole number, one or more/],
  ["maxBytes", { maxBytes: "much" }, /maxBytes is "much"; it takes a number of bytes/],
  ["maxAge", { maxAge: -1 }, /maxAge is -1; it takes a number of milliseconds/],
  ["idempotencyWindow", { idempotencyWindow: {} }, /idempotencyWindow is an object/],
])("options that are not allowed: %s", (_, options, message) => {
  expect(() => memoryLog(options as MemoryLogOptions)).toThrow(message);
});

test("memory of channels is bounded, and a forgotten channel gets its loss declared alone", async () => {
  const log = memoryLog({ maxEvents: 10 });
  await log.append([entry("kept", { key: "k" })]);
  const channels = 70_000;
  await log.append(Array.from({ length: channels }, (_, i) => entry(`c${i}`)));
  await log.append(Array.from({ length: 10 }, () => entry("new")));
  // The first one kept its entry, for its key; of the others the last 65,536 are remembered.
  const floor = 1 + channels - 65_536;
  expect(await trimmed(log, selecting("c0"))).toBe(floor);
  expect(await trimmed(log, selecting(`c${channels - 1}`))).toBe(channels + 1);
  expect(await trimmed(log, selecting("kept"))).toBe(0);
  expect((await read(log, 0, 10, selecting("kept"))).entries).toHaveLength(1);
  expect(await trimmed(log, { channels: [], prefixes: ["nobody"] })).toBe(floor);
  const after = await at(log, channels + 1);
  await expect(log.append([entry("new", { after })])).rejects.toMatchObject({ code: "ERR_SSE_CONFLICT" });
  await log.append([entry("kept", { after })]);
});

test("a clock that jumps forward or back neither removes an entry nor keeps one", async () => {
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
  const log = memoryLog({ maxAge: "1h", maxEvents: 10, idempotencyWindow: "5m" });
  const once = entry("a", { idempotencyKey: "k" });
  await log.append([once, entry("a")]);
  for (const jump of [2 * hour, -5 * hour]) {
    vi.setSystemTime(Date.now() + jump);
    expect((await log.append([once]))[0]?.duplicate).toBe(true);
    expect((await read(log, 0, 100)).entries).toHaveLength(2);
  }
  // Retention by count continues, whatever the time of the entries is.
  vi.setSystemTime(Date.now() + 2 * hour);
  await log.append(Array.from({ length: 1_000 }, () => entry("a")));
  expect((await read(log, 0, 2_000)).entries).toHaveLength(10);
  vi.setSystemTime(Date.now() - 2 * hour);
  vi.advanceTimersByTime(hour - 1_000);
  expect((await read(log, 0, 2_000)).entries).toHaveLength(10);
  expect((await log.append([once]))[0]?.duplicate ?? false).toBe(false);
  // An hour by the clock that does not jump: of those, the newest stays.
  vi.advanceTimersByTime(2_000);
  expect((await read(log, 0, 2_000)).entries).toHaveLength(1);
});

test("thousands of entries that expire at once are not all removed by the call that finds them", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const log = memoryLog({ maxAge: "1m", maxEvents: 1_000_000, maxBytes: "1gb" });
  const count = 20_000;
  await log.append(Array.from({ length: count }, () => entry("a")));
  vi.advanceTimersByTime(120_000);
  const { floor } = await log.head();
  expect(floor.offset).toBeGreaterThan(0);
  expect(floor.offset).toBeLessThan(count / 4);
  for (let turn = 0; turn < count / 1_000; turn++) await tick();
  expect((await log.head()).floor.offset).toBe(count - 1);
});

test("witnesses outlive their entries for witnessAge: a client that was away for less is verified", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const log = memoryLog({ maxEvents: 10, witnessAge: "10m" });
  const [first] = await log.append([entry("quiet")]);
  const publish = () => log.append(Array.from({ length: 20_000 }, () => entry("loud")));
  const verification = async () => (await log.locate([{ cursor: first as Position, selection: quiet }])).answers[0];
  const quiet = selecting("quiet");
  await publish();
  expect(await verification()).toMatchObject({ verification: "same", trimmed: 1 });
  vi.advanceTimersByTime(9 * 60_000);
  await publish();
  expect((await verification())?.verification).toBe("same");
  vi.advanceTimersByTime(2 * 60_000);
  await publish();
  expect((await verification())?.verification).toBe("unknown");
});

describe("a question costs what its answer is, whatever else is in the log:", () => {
  const questions: Record<string, (log: CompleteLog, selection: ChannelSelection, after: number) => Promise<unknown>> =
    {
      read: (log, selection, after) => read(log, after, 100, selection),
      last: (log, selection) => log.last(10, selection),
      latestByKey: (log, selection, after) => log.latestByKey(selection, { after, upTo: 1e9, maxBytes: 1_000_000 }),
      locate: (log, selection) => log.locate([{ cursor: null, selection }]),
    };

  test.each(Object.keys(questions))("%s on a prefix among 60,000 channels with other prefixes", async (name) => {
    const logs = await Promise.all([600, 60_000].map((channels) => filled(channels)));
    const mine: ChannelSelection = { channels: [], prefixes: ["mine/"] };
    const [few, many] = await shortest(logs.map((log) => () => questions[name]?.(log, mine, 0)));
    // A log that looked at every channel would need a hundred times as long.
    expect(many).toBeLessThan(few * 20);
  });

  test("a resume over superseded entries, by name, by prefix, and of all channels", async () => {
    const logs = await Promise.all([3_000, 300_000].map((count) => superseded(count)));
    for (const selection of [selecting("state"), { channels: [], prefixes: ["st"] }]) {
      const pages = await Promise.all(logs.map((log) => read(log, 1, 100, selection)));
      expect(pages.map(({ entries, conflated }) => [entries.length, conflated])).toEqual([
        [1, 2_999],
        [1, 299_999],
      ]);
      const [few, many] = await shortest(logs.map((log) => () => read(log, 1, 100, selection)));
      expect(many).toBeLessThan(few * 20);
    }
    // Without a selection each page passes over a part, so that others have their turn.
    const page = await read(logs[1] as CompleteLog, 1, 100);
    expect(page.through).toBeLessThan(10_000);
  });

  async function filled(channels: number): Promise<CompleteLog> {
    const log = memoryLog({ maxEvents: 1_000_000, maxBytes: "1gb" });
    await log.append(Array.from({ length: channels }, (_, i) => entry(`other/${i}`, i % 2 === 0 ? {} : { key: "k" })));
    await log.append(Array.from({ length: 100 }, (_, i) => entry(`mine/${i % 5}`, i < 50 ? {} : { key: "k" })));
    await log.append([entry("other/0")]);
    return log;
  }

  async function superseded(count: number): Promise<CompleteLog> {
    const log = memoryLog({ maxEvents: 1_000_000, maxBytes: "1gb" });
    await log.append([entry("state"), ...Array.from({ length: count }, () => entry("state", { key: "k" }))]);
    return log;
  }
});

const hour = 3_600_000;

/** The shortest of several runs of each, in turns: the least disturbed by others on this machine. */
async function shortest(runs: readonly (() => unknown)[]): Promise<[number, number]> {
  const times = runs.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < 30; round++) {
    for (const [index, run] of runs.entries()) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < 5; i++) await run();
      times[index] = Math.min(times[index] as number, Number(process.hrtime.bigint() - start));
    }
  }
  return times as [number, number];
}

function entry(channel: string, fields: Partial<NewEntry> = {}): NewEntry {
  return { channel, type: "message", data: "", ...fields };
}

function selecting(...channels: string[]): ChannelSelection {
  return { channels, prefixes: [] };
}
