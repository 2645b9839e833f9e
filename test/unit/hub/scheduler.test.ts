// One scheduler for all replays: their share of the event loop, and their shares among one another.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Scheduler, type Slice, type Task } from "../../../src/hub/subscription/scheduler.ts";
import { tick } from "../../support/web.ts";

/** A clock that moves only with the work that is done. */
let time = 0;

beforeEach(() => {
  time = 1_000;
  vi.spyOn(performance, "now").mockImplementation(() => time);
});
afterEach(() => void vi.restoreAllMocks());

/** Work in units of 10 µs, until all of it is done. */
class Work implements Task {
  /** The units done in each turn of the event loop. */
  readonly turns: number[] = [];
  left: number;
  readonly #turn: () => number;

  constructor(units: number, turn: () => number) {
    this.left = units;
    this.#turn = turn;
  }

  get done(): number {
    return this.turns.reduce((sum, units) => sum + (units ?? 0), 0);
  }

  step(slice: Slice): boolean {
    while (this.left > 0) {
      this.left--;
      time += 0.01;
      this.turns[this.#turn()] = (this.turns[this.#turn()] ?? 0) + 1;
      if (slice.isOver()) return this.left > 0;
    }
    return false;
  }
}

describe("a scheduler", () => {
  test("lets all tasks together work 5 ms of a turn, then yields to the event loop", async () => {
    const scheduler = new Scheduler();
    let turn = 0;
    const tasks = Array.from({ length: 10 }, () => new Work(10_000, () => turn));
    const begin = time;
    for (const task of tasks) scheduler.schedule(task);
    const spent: number[] = [time - begin];
    while (tasks.some(({ left }) => left > 0)) {
      const before = time;
      turn++;
      await tick();
      spent.push(time - before);
    }
    // One slice may begin just before the end of the budget.
    expect(Math.max(...spent)).toBeLessThan(8);
    expect(spent.length).toBeGreaterThan((10 * 100) / 8);
  });

  test.each([2, 1_000])("gives %d tasks equal shares, whatever each of them has to do", async (count) => {
    const scheduler = new Scheduler();
    const tasks = Array.from({ length: count }, (_, n) => new Work(n % 2 === 0 ? 100_000 : 50_000, () => 0));
    for (const task of tasks) scheduler.schedule(task);
    for (let turn = 0; turn < count * 2; turn++) await tick();
    const done = tasks.map((task) => task.done);
    expect(Math.min(...done)).toBeGreaterThan(0);
    // Each task is at most one slice ahead of another: a slice is 256 units at least.
    expect(Math.max(...done) - Math.min(...done)).toBeLessThanOrEqual(512);
  });

  test("runs a task at once while the turn has time left: its events leave with the opening of its stream", () => {
    const scheduler = new Scheduler();
    const first = new Work(100, () => 0);
    scheduler.schedule(first);
    expect(first.left).toBe(0);
    scheduler.schedule(new Work(100_000, () => 0));
    const late = new Work(100, () => 0);
    scheduler.schedule(late);
    expect(late.left).toBe(100);
  });

  test("schedules a task once, also from within a task, and forgets those that are done", async () => {
    const scheduler = new Scheduler();
    let steps = 0;
    const task: Task = {
      step() {
        steps++;
        if (steps < 5) {
          scheduler.schedule(task);
          scheduler.schedule(task);
        }
        return steps < 5;
      },
    };
    scheduler.schedule(task);
    await tick();
    expect(steps).toBe(5);
  });
});
