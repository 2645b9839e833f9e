import { expect, test, vi } from "vitest";
import { EventSource } from "../../src/index.ts";
import { openSource, request } from "../support/web.ts";

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

test("a client that leaves takes the handlers along, as soon as no signal of the same moment can be under way", async () => {
  const counts = watchHandlers();
  const controller = new AbortController();
  const source = new EventSource(request({ signal: controller.signal }));
  controller.abort();
  expect([source.readyState, ...counts()]).toEqual([2, 1, 1]);
  await vi.waitFor(() => expect(counts()).toEqual([0, 0]));
});

test("a source that comes while they are still there keeps them", async () => {
  const counts = watchHandlers();
  const controller = new AbortController();
  void new EventSource(request({ signal: controller.signal }));
  controller.abort();
  const next = new EventSource(request());
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(counts()).toEqual([1, 1]);
  await next.close();
  expect(counts()).toEqual([0, 0]);
});
