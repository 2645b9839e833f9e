// Whatever waits for the application has an end: a deadline, or the client's departure.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { defineEvents } from "../../../src/wire/contract.ts";
import type { StandardSchemaV1 } from "../../../src/wire/standard-schema.ts";
import { follow, joined, openHub } from "../../support/hub.ts";
import { request, tick } from "../../support/web.ts";

const never = () => new Promise<never>(() => {});
const timedOut = (stage: string, subject: string) => [
  stage,
  `${subject} has not settled within 10000 ms; make it settle sooner, or raise limits.callbackTimeout`,
];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
});
afterEach(() => void vi.useRealTimers());

describe("authorize() that never settles", () => {
  test("keeps no slot for a client that has left", async () => {
    const { hub } = openHub({ authorize: never, limits: { connections: 10 } });
    const leaving = Array.from({ length: 10 }, () => new AbortController());
    const opening = leaving.map(({ signal }) => hub.response(request({ signal }), { channels: ["a"] }));
    await tick();
    expect(hub.stats().connections).toBe(10);
    for (const controller of leaving) controller.abort();
    await Promise.all(opening);
    expect(hub.stats()).toMatchObject({ connections: 0, live: 0, lagging: 0 });
  });

  test("is given up at the deadline: nothing is delivered, the client retries, and onError is called", async () => {
    const { hub, errors } = openHub({ authorize: never });
    const opening = follow(hub, "a");
    await vi.advanceTimersByTimeAsync(10_000);
    const client = await (await opening).end();
    expect([client.status, client.data]).toEqual([200, []]);
    expect(client.parser.retry).toBeGreaterThan(0);
    expect(errors.splice(0)).toEqual([timedOut("authorize", "authorize()")]);
    expect(hub.stats().connections).toBe(0);
  });

  test("for a channel under a prefix ends the stream at the deadline", async () => {
    const { hub, errors } = openHub({ authorize: ({ channel }) => (channel === "a/*" ? true : never()) });
    const client = await joined(hub, "a/*");
    await hub.channel("a/1").dispatch("n", 1);
    await vi.advanceTimersByTimeAsync(10_000);
    await client.end();
    expect(client.data).toEqual([]);
    expect(errors.splice(0)).toEqual([timedOut("authorize", "authorize()")]);
  });

  test("again, does not pile up, and ends the stream at the deadline", async () => {
    let hangs = false;
    let calls = 0;
    const { hub, errors } = openHub({
      reauthorize: "1s",
      authorize: () => {
        calls++;
        return hangs ? never() : true;
      },
    });
    const client = await joined(hub, "a");
    hangs = true;
    calls = 0;
    await vi.advanceTimersByTimeAsync(8_000);
    expect(calls).toBe(1);
    await vi.advanceTimersByTimeAsync(4_000);
    await client.end();
    expect(errors.splice(0)).toEqual([timedOut("authorize", "authorize()")]);
    expect(hub.stats().connections).toBe(0);
  });
});

test("a snapshot() that never settles ends the stream at the deadline", async () => {
  const { hub, errors } = openHub({ snapshot: never });
  const client = await follow(hub, "a", { lastEventId: "another.1.1" });
  await vi.advanceTimersByTimeAsync(12_000);
  await client.end();
  expect(errors.splice(0)).toEqual([timedOut("snapshot", "snapshot()")]);
});

test("a snapshot whose contract never settles ends the stream at the deadline", async () => {
  const validate = never as StandardSchemaV1["~standard"]["validate"];
  const events = defineEvents({ state: { "~standard": { version: 1, vendor: "test", validate } } });
  const { hub, errors } = openHub({
    events: events as never,
    snapshot: () => ({ events: [{ type: "state", data: 1 }] }),
  });
  const client = await follow(hub, "a", { lastEventId: "another.1.1" });
  await vi.advanceTimersByTimeAsync(12_000);
  await client.end();
  expect(errors.splice(0)).toEqual([timedOut("snapshot", "The contract")]);
});

test("an asynchronous schema that never settles fails the dispatch at the deadline", async () => {
  const hanging = { "~standard": { version: 1, vendor: "test", validate: never } } as const;
  const { hub } = openHub({ events: defineEvents({ n: hanging }) as never });
  const dispatching = expect(hub.channel("a").dispatch("n", 1)).rejects.toMatchObject({ code: "ERR_SSE_TIMEOUT" });
  await vi.advanceTimersByTimeAsync(10_000);
  await dispatching;
});

test("an answer that comes after the deadline is ignored", async () => {
  let answer: (allowed: boolean) => void = () => {};
  const { hub, errors } = openHub({
    limits: { callbackTimeout: "1s" },
    authorize: () =>
      new Promise<boolean>((resolve) => {
        answer = resolve;
      }),
  });
  const opening = follow(hub, "a");
  await vi.advanceTimersByTimeAsync(1_000);
  answer(true);
  await (await opening).end();
  expect(errors.splice(0)).toHaveLength(1);
  expect(hub.stats()).toMatchObject({ connections: 0, live: 0 });
});

test("answers under a prefix are kept for a bounded number of channels, the newest", async () => {
  const asked: string[] = [];
  const { hub } = openHub({
    authorize: ({ channel }) => {
      asked.push(channel);
      return true;
    },
  });
  const client = await joined(hub, "u/*");
  for (let n = 0; n < 1_100; n++) await hub.channel(`u/${n}`).dispatch("n", n);
  await client.until(() => client.data.length === 1_100);
  asked.length = 0;
  await hub.channel("u/1099").dispatch("n", "new");
  await hub.channel("u/0").dispatch("n", "forgotten");
  await client.until(() => client.data.length === 1_102);
  expect(asked).toEqual(["u/0"]);
});
