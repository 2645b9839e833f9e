import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type LogEntry, SharedPages, selectEntries, type UnselectedPage } from "../../../src/log/index.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** A store of so many entries, on ten channels in turn, and the offsets after which it was read. */
function store(top: number, limit = 100) {
  const state = { top, epoch: "e", reads: [] as number[] };
  const pages = new SharedPages(async (after) => {
    state.reads.push(after);
    const head = { epoch: state.epoch, top: state.top, witness: 1, floor: { offset: 0, witness: 1 } };
    const count = Math.max(0, Math.min(limit, state.top - after));
    return { head, entries: Array.from({ length: count }, (_, i) => entryAt(after + 1 + i)), superseded: new Set() };
  });
  return { state, pages };
}

function entryAt(offset: number, channel = `c${offset % 10}`): LogEntry {
  return { offset, witness: offset, previousWitness: offset - 1, time: 0, channel, type: "n", data: "" };
}

function pageOf(entries: LogEntry[], superseded: number[] = []): UnselectedPage {
  const head = { epoch: "e", top: 9, witness: 9, floor: { offset: 0, witness: 1 } };
  return { head, entries, superseded: new Set(superseded) };
}

test("readers of any channels read each page once, those that wait for it and those that come later", async () => {
  const { state, pages } = store(250);
  for (const after of [0, 100, 200]) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => pages.at(after + (i % 40))));
    await pages.at(after + 99 > 249 ? 249 : after + 99);
  }
  expect(state.reads).toEqual([0, 100, 200]);
});

test("many readers that wait for a page that is too short for them read the next one once", async () => {
  const { state, pages } = store(250);
  const found = await Promise.all([pages.at(0), ...Array.from({ length: 30 }, () => pages.at(100))]);
  expect(found.slice(1).every(({ entries }) => entries[0]?.offset === 101)).toBe(true);
  expect(state.reads).toEqual([0, 100]);
});

test("a page that ended at the head is read again once a newer entry is known", async () => {
  const { state, pages } = store(50);
  await pages.at(0);
  state.top = 60;
  await pages.at(10);
  expect(state.reads).toEqual([0]);
  pages.noteTop(60);
  expect((await pages.at(10)).entries.at(-1)?.offset).toBe(60);
  expect(state.reads).toEqual([0, 10]);
});

test("a read that began before an entry was known does not answer for it", async () => {
  const { state, pages } = store(50);
  const early = pages.at(0);
  state.top = 60;
  pages.noteTop(60);
  expect((await pages.at(0)).entries.at(-1)?.offset).toBe(60);
  expect((await early).entries.at(-1)?.offset).toBe(50);
});

test("pages are forgotten after a second, when the log was cut, and when another one answers", async () => {
  const { state, pages } = store(50);
  await pages.at(0);
  vi.advanceTimersByTime(1_001);
  await pages.at(0);
  pages.clear();
  await pages.at(0);
  expect(state.reads).toEqual([0, 0, 0]);
  state.epoch = "f";
  await pages.at(50);
  expect((await pages.at(0)).head.epoch).toBe("f");
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(2_000);
  expect(vi.getTimerCount()).toBe(0);
});

test("a failed read fails its readers, and the next one reads again", async () => {
  let fails = true;
  const pages = new SharedPages(async () => {
    if (fails) throw new Error("cut");
    return pageOf([entryAt(1)]);
  });
  const outcomes = await Promise.allSettled([pages.at(0), pages.at(0)]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  fails = false;
  expect((await pages.at(0)).entries).toHaveLength(1);
});

test("of a page, each reader gets the entries of its channels, within its bounds", () => {
  const page = pageOf([1, 2, 3, 4, 5, 6, 7, 8, 9].map((offset) => entryAt(offset, offset % 2 ? "odd" : "even")));
  const options = { limit: 2, maxBytes: 1_000, conflate: true, selection: { channels: ["odd"], prefixes: [] } };
  const first = selectEntries(page, 0, options);
  expect([first.entries.map(({ offset }) => offset), first.through]).toEqual([[1, 3], 3]);
  const rest = selectEntries(page, 3, { ...options, limit: 9 });
  expect([rest.entries.map(({ offset }) => offset), rest.through]).toEqual([[5, 7, 9], 9]);
  // One entry, however large it is.
  expect(selectEntries(page, 0, { ...options, maxBytes: 0 }).entries).toHaveLength(1);
});

test("superseded entries are left out and counted, each on one page", () => {
  const page = pageOf(
    [1, 2, 3, 4, 5].map((offset) => entryAt(offset, "a")),
    [1, 3, 4],
  );
  const options = { limit: 1, maxBytes: 1_000, conflate: true };
  const first = selectEntries(page, 0, options);
  expect([first.entries.map(({ offset }) => offset), first.through, first.conflated]).toEqual([[2], 2, 1]);
  const second = selectEntries(page, 2, options);
  expect([second.entries.map(({ offset }) => offset), second.through, second.conflated]).toEqual([[5], 5, 2]);
  expect(selectEntries(page, 0, { ...options, limit: 9, conflate: false }).entries).toHaveLength(5);
});
