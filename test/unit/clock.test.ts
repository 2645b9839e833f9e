import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { now, WakeTimer } from "../../src/base/clock.ts";

const day = 86_400_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] }));
afterEach(() => void vi.useRealTimers());

/** A timer, with the times of its wake-ups. */
function openTimer() {
  const start = now();
  const wakes: number[] = [];
  const timer = new WakeTimer((time) => void wakes.push(time - start));
  return { timer, wakes, start };
}

describe("now()", () => {
  test("does not follow the system's clock", () => {
    const before = now();
    vi.setSystemTime(Date.now() - day);
    vi.advanceTimersByTime(5);
    expect(now() - before).toBe(5);
  });
});

describe("a wake timer", () => {
  test.each([0, 1, 1_000, 25 * day, 60 * day, 400 * day])("wakes once after %i ms, and not before", (delay) => {
    const { timer, wakes, start } = openTimer();
    timer.set(start + delay);
    vi.advanceTimersByTime(Math.max(0, delay - 2));
    expect([wakes, timer.due]).toEqual(delay === 0 ? [[0], Number.POSITIVE_INFINITY] : [[], start + delay]);
    vi.advanceTimersByTime(2);
    expect([wakes, timer.due]).toEqual([[delay], Number.POSITIVE_INFINITY]);
    vi.advanceTimersByTime(100 * day);
    expect([wakes.length, vi.getTimerCount()]).toEqual([1, 0]);
  });

  test("does not move the time of others when it is cut short", () => {
    const { timer, start } = openTimer();
    timer.set(start + 60 * day);
    vi.advanceTimersByTime(30 * day);
    expect(now() - start).toBe(30 * day);
  });

  test("keeps the earlier of two moments", () => {
    const { timer, wakes, start } = openTimer();
    timer.set(start + 100);
    timer.set(start + 50);
    timer.set(start + 70);
    vi.advanceTimersByTime(1_000);
    expect(wakes).toEqual([50]);
  });

  test("is stopped by stop() and by Infinity", () => {
    const { timer, wakes, start } = openTimer();
    timer.set(start + 100);
    timer.stop();
    timer.set(start + 100);
    timer.set(Number.POSITIVE_INFINITY);
    expect([vi.getTimerCount(), wakes]).toEqual([0, []]);
  });

  test("can be set again while it wakes", () => {
    const start = now();
    const wakes: number[] = [];
    const timer = new WakeTimer((time) => {
      if (wakes.push(time - start) < 3) timer.set(time + 10);
    });
    timer.set(start + 10);
    vi.advanceTimersByTime(1_000);
    expect(wakes).toEqual([10, 20, 30]);
  });

  test("that rests does not wake, and goes on from where it was", () => {
    const { timer, wakes, start } = openTimer();
    timer.set(start + 100);
    timer.rest();
    vi.advanceTimersByTime(50);
    // Earlier than this moment is a moment that it is set for already.
    timer.set(start + 150);
    expect([timer.due, vi.getTimerCount()]).toEqual([start + 100, 1]);
    vi.advanceTimersByTime(100);
    expect(wakes).toEqual([100]);
    timer.set(start + 300);
    timer.rest();
    timer.rest();
    vi.advanceTimersByTime(1_000);
    expect([wakes, timer.due, vi.getTimerCount()]).toEqual([[100], Number.POSITIVE_INFINITY, 0]);
  });

  test("that rests is stopped where every timer keeps the process alive", () => {
    const setTimeout = globalThis.setTimeout;
    vi.stubGlobal("setTimeout", (...args: Parameters<typeof setTimeout>) => Number(setTimeout(...args)));
    const { timer, start } = openTimer();
    timer.set(start + 100);
    timer.rest();
    expect([timer.due, vi.getTimerCount()]).toEqual([Number.POSITIVE_INFINITY, 0]);
    vi.unstubAllGlobals();
  });

  test("that fires a little early passes the moment that it was set for", () => {
    const wakes: number[] = [];
    const timer = new WakeTimer((time) => void wakes.push(time));
    const due = now() + 10.5;
    vi.spyOn(performance, "now").mockReturnValue(due - 0.9);
    timer.set(due);
    vi.advanceTimersByTime(11);
    expect(wakes).toEqual([due]);
    vi.restoreAllMocks();
  });

  test("that fires much too early waits for the rest", () => {
    const wakes: number[] = [];
    const timer = new WakeTimer((time) => void wakes.push(time));
    const start = now();
    timer.set(start + 100);
    const clock = vi.spyOn(performance, "now").mockReturnValue(start + 50);
    vi.advanceTimersByTime(100);
    expect(wakes).toEqual([]);
    clock.mockReturnValue(start + 100);
    vi.advanceTimersByTime(50);
    expect(wakes).toEqual([start + 100]);
    vi.restoreAllMocks();
  });
});
