import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { now } from "../../src/base/clock.ts";
import { type IdleTarget, unwatchIdle, watchIdle } from "../../src/sinks/idle-timer.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** Notes when it was idle. */
class Target implements IdleTarget {
  readonly idleAfter: number;
  lastSent: number;
  readonly times: number[] = [];

  constructor(idleAfter: number, firstDue: number) {
    this.idleAfter = idleAfter;
    this.lastSent = now() + firstDue - idleAfter;
  }

  onIdle(time: number): void {
    this.times.push(time);
    this.lastSent = time;
  }
}

test("targets of different idle times share wake-ups, each within a twentieth of its own", () => {
  const second = new Target(1_000, 1_000);
  // One is due every 20 ms.
  const others = Array.from({ length: 1_000 }, (_, i) => new Target(20_000, i * 20));
  for (const target of [second, ...others]) watchIdle(target);
  const start = now();
  vi.advanceTimersByTime(60_000);
  for (const target of [second, ...others]) unwatchIdle(target);

  for (const { times, idleAfter } of [second, ...others]) {
    const gaps = times.slice(1).map((time, i) => time - (times[i] as number));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(idleAfter * 1.05 + 1);
    expect(times.length).toBeGreaterThanOrEqual(Math.floor(60_000 / (idleAfter * 1.05)));
  }
  const wakeUps = new Set([...second.times, ...others.flatMap(({ times }) => times)]);
  // Once a second for the one, and once a second for the others, not 50 times.
  expect(wakeUps.size / ((now() - start) / 1_000)).toBeLessThan(3);
});
