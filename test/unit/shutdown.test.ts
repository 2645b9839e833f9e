import { expect, test, vi } from "vitest";
import { EventSource } from "../../src/index.ts";
import { openSource, request } from "../support/web.ts";

const signals = ["SIGTERM", "SIGHUP"] as const;
const counts = () => signals.map((signal) => process.listenerCount(signal));

test("handlers come with the first open source and go with the last", async () => {
  const before = counts();
  const first = openSource();
  const one = before.map((count) => count + 1);
  expect(counts()).toEqual(one);
  const more = Array.from({ length: 50 }, () => openSource());
  expect(counts()).toEqual(one);
  await first.close();
  for (const source of more.splice(1)) await source.close();
  expect(counts()).toEqual(one);
  await more[0]?.close();
  expect(counts()).toEqual(before);
  await openSource().close();
  expect(counts()).toEqual(before);
});

test("a source that is closed from its start, and one with closeOnSignal: false, bring none", async () => {
  const before = counts();
  openSource({}, { signal: AbortSignal.abort() });
  openSource({}, { method: "HEAD" });
  openSource({ closeOnSignal: false });
  expect(counts()).toEqual(before);
});

test("a client that leaves takes the handlers along, as soon as no signal of the same moment can be under way", async () => {
  const before = counts();
  const controller = new AbortController();
  const source = new EventSource(request({ signal: controller.signal }));
  expect(counts()).not.toEqual(before);
  controller.abort();
  expect(source.readyState).toBe(2);
  await vi.waitFor(() => expect(counts()).toEqual(before));
});

test("a source that comes while they are still there keeps them", async () => {
  const before = counts();
  const controller = new AbortController();
  void new EventSource(request({ signal: controller.signal }));
  controller.abort();
  const next = new EventSource(request());
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(counts()).toEqual(before.map((count) => count + 1));
  await next.close();
  expect(counts()).toEqual(before);
});
