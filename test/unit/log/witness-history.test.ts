import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { IdempotencyWindow, WitnessHistory } from "../../../src/log/index.ts";
import fc from "../../support/properties.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"] }));
afterEach(() => void vi.useRealTimers());

test("a witness is found at its offset, and nowhere else", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 2_000 }), (first, count) => {
      const history = new WitnessHistory(1_000);
      for (let i = 0; i < count; i++) history.push(first + i, 4_294_967_295 - i);
      expect(history.size).toBe(count);
      expect([history.at(first - 1), history.at(first + count)]).toEqual([undefined, undefined]);
      for (let i = 0; i < count; i++) expect(history.at(first + i)).toBe(4_294_967_295 - i);
    }),
    { numRuns: 50 },
  );
});

test("witnesses are kept for their age, and no chunk for long after it", () => {
  const history = new WitnessHistory(60_000);
  for (let offset = 1; offset <= 100_000; offset++) {
    if (offset % 100 === 0) vi.advanceTimersByTime(50);
    history.push(offset, offset);
  }
  // 50 s: none is old.
  expect(history.at(1)).toBe(1);
  for (let offset = 100_001; offset <= 500_000; offset++) {
    if (offset % 100 === 0) vi.advanceTimersByTime(50);
    history.push(offset, offset);
  }
  // In 60 s 120,000 entries are trimmed; a chunk has 16,384.
  expect(history.at(500_000 - 120_000 + 200)).toBe(500_000 - 120_000 + 200);
  expect(history.at(500_000 - 120_000 - 2 * 16_384)).toBeUndefined();
});

test("a wall clock that jumps changes nothing", () => {
  const history = new WitnessHistory(60_000);
  for (let offset = 1; offset <= 1_000; offset++) history.push(offset, offset);
  vi.setSystemTime(Date.now() + 3_600_000);
  for (let offset = 1_001; offset <= 2_000; offset++) history.push(offset, offset);
  expect(history.at(1)).toBe(1);
});

test("the count is bounded, whatever the age", () => {
  const history = new WitnessHistory(60_000, 1_000);
  for (let offset = 1; offset <= 50_000; offset++) {
    history.push(offset, offset);
    if (history.size > 1_000) expect.fail(`${history.size} witnesses`);
  }
  expect(history.at(50_000)).toBe(50_000);
  expect(history.size).toBeGreaterThan(800);
});

test("after a hole it begins again; without an age it keeps nothing", () => {
  const history = new WitnessHistory(1_000);
  history.push(1, 11);
  history.push(3, 13);
  expect([history.at(1), history.at(2), history.at(3)]).toEqual([undefined, undefined, 13]);
  const none = new WitnessHistory(0);
  none.push(1, 11);
  expect(none.at(1)).toBeUndefined();
});

test("the idempotency window is monotonic, and of a channel and a key", () => {
  const window = new IdempotencyWindow(1_000);
  const entry = { channel: "a", type: "t", data: "", idempotencyKey: "k" };
  const appended = { epoch: "e", offset: 1, witness: 1 };
  window.add(entry, appended);
  vi.setSystemTime(Date.now() + 86_400_000);
  expect(window.find(entry)).toEqual({ ...appended, duplicate: true });
  vi.setSystemTime(Date.now() - 2 * 86_400_000);
  expect(window.find(entry)).toBeDefined();
  for (const other of [{ channel: "b" }, { idempotencyKey: "\ud800" }, { idempotencyKey: undefined }]) {
    expect(window.find({ ...entry, ...other })).toBeUndefined();
  }
  window.add({ ...entry, idempotencyKey: "\ud800" }, { ...appended, offset: 2 });
  expect(window.find({ ...entry, idempotencyKey: "\udfff" })).toBeUndefined();
  window.forgetAfter(1);
  expect(window.find({ ...entry, idempotencyKey: "\ud800" })).toBeUndefined();
  expect(window.find(entry)).toBeDefined();
  vi.advanceTimersByTime(1_000);
  expect(window.find(entry)).toBeUndefined();
});
