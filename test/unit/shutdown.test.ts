import { afterEach, expect, test, vi } from "vitest";
import { EventSource } from "../../src/index.ts";
import { openSource, request, tick } from "../support/web.ts";

const signals = ["SIGTERM", "SIGHUP"] as const;
/** Counts the handlers that come from here on: those of another copy of the package may still be there for a moment. */
function watchHandlers(): () => number[] {
  const others = signals.map((signal) => new Set(process.listeners(signal)));
  return () =>
    signals.map((signal, index) => process.listeners(signal).filter((one) => !others[index]?.has(one)).length);
}

test("handlers come with the first open source and go with the last", async () => {
  const counts = watchHandlers();
  const first = openSource();
  expect(counts()).toEqual([1, 1]);
  const more = Array.from({ length: 50 }, () => openSource());
  expect(counts()).toEqual([1, 1]);
  await first.close();
  for (const source of more.splice(1)) await source.close();
  expect(counts()).toEqual([1, 1]);
  await more[0]?.close();
  expect(counts()).toEqual([0, 0]);
  await openSource().close();
  expect(counts()).toEqual([0, 0]);
});

test("a source that is closed from its start, and one with closeOnSignal: false, bring none", async () => {
  const counts = watchHandlers();
  openSource({}, { signal: AbortSignal.abort() });
  openSource({}, { method: "HEAD" });
  openSource({ closeOnSignal: false });
  expect(counts()).toEqual([0, 0]);
});

/** Replaces the timer after which the handlers are removed: it has fired when the function has been called. */
function controlLinger(): { readonly times: number[]; fire(): void } {
  const times: number[] = [];
  const timers: AbortController[] = [];
  vi.spyOn(AbortSignal, "timeout").mockImplementation((milliseconds) => {
    times.push(milliseconds);
    const timer = new AbortController();
    timers.push(timer);
    return timer.signal;
  });
  return { times, fire: () => timers.shift()?.abort() };
}

afterEach(() => {
  vi.restoreAllMocks();
});

test("a client that leaves takes the handlers along, at a moment at which no signal is likely", async () => {
  const linger = controlLinger();
  const counts = watchHandlers();
  const controller = new AbortController();
  const source = new EventSource(request({ signal: controller.signal }));
  controller.abort();
  expect([source.readyState, ...counts()]).toEqual([2, 1, 1]);
  expect(linger.times).toEqual([expect.toSatisfy((time: number) => time >= 600 && time < 900)]);
  linger.fire();
  await vi.waitFor(() => expect(counts()).toEqual([0, 0]));
});

test("a source that comes while they are still there keeps them", async () => {
  const linger = controlLinger();
  const counts = watchHandlers();
  const controller = new AbortController();
  void new EventSource(request({ signal: controller.signal }));
  controller.abort();
  const next = new EventSource(request());
  linger.fire();
  for (let turn = 0; turn < 5; turn++) await tick();
  expect(counts()).toEqual([1, 1]);
  await next.close();
  expect(counts()).toEqual([0, 0]);
});
