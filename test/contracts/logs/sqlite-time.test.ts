import { afterEach, expect, test, vi } from "vitest";
import type { SqliteLogOptions } from "../../../src/logs/sqlite/index.ts";
import { entry, file, open, openLog } from "../../support/sqlite.ts";

const hour = 3_600_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/** The computer's clock is off from now on; the monotonic clock is not. */
function jump(milliseconds: number): void {
  const { now } = Date;
  vi.spyOn(Date, "now").mockImplementation(() => now.call(Date) + milliseconds);
}

const few = Array.from({ length: 3 }, () => entry("a"));

test.each([
  ["forward by two hours", 2 * hour],
  ["forward by fifty years", 50 * 365 * 24 * hour],
  ["back by two hours", -2 * hour],
  ["back to 1970", -Date.now()],
])("the clock jumps %s: retention continues, and entries are as old as they are", async (_, milliseconds) => {
  const log = openLog({ path: file(), maxAge: "1h", maxEvents: 10 });
  await log.append(few);
  const before = await log.head();
  jump(milliseconds);
  await log.append(few);
  // A pass of retention later none is too old.
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect((await log.head()).floor).toEqual(before.floor);
  for (let i = 0; i < 100; i++) await log.append(few);
  await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(296));
});

test.each([
  ["forward", 48 * hour],
  ["back", -48 * hour],
])(
  "the clock jumps %s: entries expire after maxAge, and idempotency keys after their window",
  async (_, milliseconds) => {
    const log = openLog({ path: file(), maxAge: 300, idempotencyWindow: 300 });
    const once = entry("a", "", { idempotencyKey: "once" });
    await log.append([once, entry("a"), entry("a")]);
    jump(milliseconds);
    expect((await log.append([once]))[0]?.duplicate).toBe(true);
    await vi.waitFor(async () => expect((await log.append([once]))[0]?.duplicate).toBeUndefined(), { timeout: 5_000 });
    await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(3), { timeout: 5_000 });
  },
);

test.each<[string, number]>([
  ["a jump forward", 48 * hour],
  ["a jump back", -48 * hour],
])("%s that a process has seen does not count after a restart", async (_, milliseconds) => {
  const options: SqliteLogOptions = { path: file(), maxAge: "1h" };
  const log = openLog(options);
  await log.append(few);
  jump(milliseconds);
  await log.append([entry("a")]);
  await log.close();
  const again = openLog(options);
  await again.append([entry("a")]);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect((await again.head()).floor.offset).toBe(0);
});

test("time passes while no process runs", async () => {
  const options: SqliteLogOptions = { path: file(), maxAge: "1h" };
  const log = openLog(options);
  await log.append(few);
  await log.close();
  jump(2 * hour);
  await vi.waitFor(async () => expect((await openLog(options).head()).floor.offset).toBe(2));
});

test("a jump is stored within about a second, even if nothing is published", async () => {
  const path = file();
  const log = openLog({ path });
  const { epoch, top, witness } = await log.head();
  log.tail(
    { epoch, offset: top, witness },
    () => {},
    () => {},
  );
  const stored = () => Number(open(path).prepare("SELECT clock_correction FROM sse_log").get()?.clock_correction);
  expect(stored()).toBe(0);
  jump(2 * hour);
  await vi.waitFor(() => expect(Math.abs(stored() + 2 * hour)).toBeLessThan(5_000), { timeout: 5_000 });
});

test("times of entries are the computer's, for people", async () => {
  const log = openLog({ path: file() });
  await log.append([entry("a")]);
  jump(-2 * hour);
  await log.append([entry("a")]);
  const { entries } = await log.read(0, { limit: 2, maxBytes: 1_000, conflate: false });
  const [first, second] = entries.map(({ time }) => time);
  expect(Math.abs((first ?? 0) - 2 * hour - (second ?? 0))).toBeLessThan(60_000);
});

test("witnesses of trimmed entries are kept for witnessAge, in the file", async () => {
  const options: SqliteLogOptions = { path: file(), maxEvents: 1, witnessAge: 400 };
  const log = openLog(options);
  const placed = await log.append(Array.from({ length: 1_200 }, () => entry("a")));
  const offsets = placed.map(({ offset }) => offset);
  const expected = placed.map(({ witness }) => witness);
  await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(1_199));
  expect(await log.witnesses(offsets)).toEqual(expected);
  await log.close();
  const again = openLog({ ...options, witnessAge: "1d" });
  expect(await again.witnesses([0, ...offsets].slice(1))).toEqual(expected);
  await again.close();
  const last = openLog(options);
  const ends = [undefined, undefined, expected[1_198], expected[1_199], undefined];
  await vi.waitFor(async () => expect(await last.witnesses([1, 1_198, 1_199, 1_200, 1_201])).toEqual(ends), {
    timeout: 5_000,
  });
  expect(typeof (await last.witnesses([0]))[0]).toBe("number");
});

test("witnesses are bounded: of more than 16 million, the oldest go first", async () => {
  const path = file();
  const log = openLog({ path, maxEvents: 1 });
  const database = open(path);
  const newest = 70_000;
  // Blocks of 256 witnesses each, as a long history has them.
  for (const block of [0, newest - 62_500, newest - 62_499, newest]) {
    database.prepare("INSERT INTO sse_witness VALUES (?, ?, zeroblob(1024))").run(block, Date.now());
  }
  await log.append([entry("a")]);
  const blocks = () => database.prepare("SELECT block FROM sse_witness ORDER BY block").all();
  await vi.waitFor(() => expect(blocks().map(({ block }) => block)).toEqual([newest - 62_499, newest]));
});
