import { describe, expect, test } from "vitest";
import { LogClock } from "../../src/logs/sqlite/clock.ts";
import fc from "../support/properties.ts";

const second = 1_000;
const hour = 3_600 * second;

/** A computer with its clocks, a file, and the processes that have it open. */
class Machine {
  wall = 1_790_000_000_000;
  uptime = 0;
  readonly stored = { correction: 0, latest: 0 };
  readonly processes: LogClock[] = [];

  /** Time passes. */
  pass(time: number): void {
    this.wall += time;
    this.uptime += time;
  }

  start(): void {
    // The monotonic clock of a process begins anywhere.
    const started = this.uptime - this.processes.length * 12_345;
    const clock = new LogClock({ wall: () => this.wall, monotonic: () => this.uptime - started });
    clock.adopt(this.stored);
    this.processes.push(clock);
  }

  stop(): void {
    this.processes.length = 0;
  }

  /** A process stores an entry. Returns its log time. */
  append(index: number): number {
    const clock = this.processes[index % this.processes.length] as LogClock;
    clock.adopt(this.stored);
    this.stored.correction = clock.correction() ?? this.stored.correction;
    this.stored.latest = clock.now();
    return this.stored.latest;
  }
}

/** A correction may be off by a second, and times are whole milliseconds. */
const tolerance = second + 2;

const span = fc.integer({ min: 0, max: 30 * hour });
const jump = fc.integer({ min: -60 * 365 * 24 * hour, max: 60 * 365 * 24 * hour });
const step = fc.oneof(
  fc.record({ kind: fc.constant("pass" as const), time: span }),
  fc.record({ kind: fc.constant("jump" as const), time: jump }),
  fc.record({ kind: fc.constant("open" as const) }),
  fc.record({ kind: fc.constant("restart" as const), time: span, jump: fc.oneof(fc.constant(0), jump) }),
);

test("log time is the time that passes, whatever the wall clock does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: "max" }), fc.nat(3), (steps, writer) => {
      const machine = new Machine();
      machine.start();
      let before = machine.append(0);
      for (const [i, each] of steps.entries()) {
        let [least, most] = [0, 0];
        if (each.kind === "pass") {
          machine.pass(each.time);
          least = most = each.time;
        } else if (each.kind === "jump") {
          machine.wall += each.time;
        } else if (each.kind === "open") {
          machine.start();
        } else {
          machine.stop();
          machine.pass(each.time);
          machine.wall += each.jump;
          machine.start();
          // Nothing but the wall clock tells how long no process ran.
          least = most = Math.max(0, each.time + each.jump);
        }
        const after = machine.append(i + writer);
        expect(after).toBeGreaterThanOrEqual(before);
        expect(after - before).toBeGreaterThanOrEqual(least - tolerance);
        expect(after - before).toBeLessThanOrEqual(most + tolerance);
        before = after;
      }
    }),
  );
});

describe("an entry of an hour ago", () => {
  /** How old it is for the log, with what happens to the wall clock in that hour. */
  function ageWith(change: (machine: Machine) => void): number {
    const machine = new Machine();
    machine.start();
    const stored = machine.append(0);
    change(machine);
    machine.pass(hour);
    return machine.append(0) - stored;
  }

  test.each<[string, (machine: Machine) => void]>([
    ["nothing", () => {}],
    ["a jump of two hours", (machine) => (machine.wall += 2 * hour)],
    ["a jump back by a year", (machine) => (machine.wall -= 365 * 24 * hour)],
    ["a machine without a battery", (machine) => (machine.wall = 0)],
  ])("%s: is an hour old", (_, change) => {
    expect(ageWith((machine) => void change(machine))).toBeCloseTo(hour, -1);
  });

  test("a jump that a process has seen does not count after a restart either", () => {
    const age = ageWith((machine) => {
      machine.wall += 48 * hour;
      machine.append(0);
      machine.stop();
      machine.start();
    });
    expect(Math.abs(age - hour)).toBeLessThanOrEqual(tolerance);
  });

  test("a jump back while no process ran does not stop time", () => {
    const age = ageWith((machine) => {
      machine.stop();
      machine.wall -= 48 * hour;
      machine.start();
      machine.append(0);
    });
    expect(age).toBeCloseTo(hour, -1);
  });
});
