// A client measures durations on a machine that sleeps, and whose clock is set.
import { afterEach, expect, test, vi } from "vitest";
import { AwakeClock } from "../../../src/client/awake-clock.ts";
import { subscribe } from "../../../src/client/subscribe.ts";
import { tick } from "../../support/web.ts";

afterEach(() => void vi.useRealTimers());

const hour = 3_600_000;

/** Clocks that pass together, unless the test moves one of them. */
function clocks() {
  const state = { wall: 1_800_000_000_000, monotonic: 5_000 };
  const clock = new AwakeClock(
    () => state.wall,
    () => state.monotonic,
  );
  const start = clock.now();
  const pass = (time: number): void => {
    state.wall += time;
    state.monotonic += time;
  };
  return { clock, state, pass, elapsed: () => clock.now() - start };
}

test("time passes as on the monotonic clock", () => {
  const { pass, elapsed } = clocks();
  for (let n = 0; n < 100; n++) pass(0.3);
  expect(elapsed()).toBeCloseTo(30, 6);
});

test("a system's clock that is set back changes no duration", () => {
  const { state, pass, elapsed } = clocks();
  state.wall -= hour;
  pass(100);
  expect(elapsed()).toBe(100);
});

test("the time in which only the system's clock went on counts", () => {
  const { state, pass, elapsed } = clocks();
  state.wall += hour;
  pass(100);
  expect(elapsed()).toBe(hour + 100);
});

test("small corrections of the system's clock do not count as sleep, however many there are", () => {
  const { state, pass, elapsed } = clocks();
  for (let n = 0; n < 100; n++) {
    state.wall += n % 2 === 0 ? 20 : -20;
    pass(10);
    elapsed();
  }
  expect(elapsed()).toBe(1_000);
});

test("moments are told as the system's clock has them now", () => {
  const { clock, state } = clocks();
  for (const jump of [-hour, 2 * hour]) {
    state.wall += jump;
    const soon = clock.now() + 500;
    expect(clock.toUnixTime(soon)).toBe(state.wall + 500);
  }
});

test("a connection that is idle is given up in time although the system's clock was set back", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
  let connections = 0;
  const fetch = async (): Promise<Response> => {
    connections++;
    return new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } });
  };
  const stream = subscribe("http://localhost/events", {
    fetch,
    timeout: { idle: "10s" },
    retry: { initial: 1, max: 1 },
  });
  stream.on("*", () => {});
  for (let turn = 0; turn < 4; turn++) await tick();
  vi.setSystemTime(Date.now() - hour);
  await vi.advanceTimersByTimeAsync(11_000);
  stream.close();
  expect(connections).toBe(2);
});
