import { describe, expect, test, vi } from "vitest";
import { sharedPages } from "../../../src/hub/subscription/snapshot.ts";
import type { HubOptions } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { defineEvents } from "../../../src/wire/contract.ts";
import { follow, joined, openHub } from "../../support/hub.ts";
import { request, tick } from "../../support/web.ts";

/** A hub with a count as its state: each event adds to it, and a snapshot gives the sum. */
function counting(options: HubOptions = {}) {
  let sum = 0;
  const state = { slow: async () => {}, taken: 0 };
  const { hub, errors } = openHub({
    log: memoryLog({ maxEvents: 2 }),
    snapshot: async () => {
      state.taken++;
      const cursor = await hub.cursor();
      await state.slow();
      return { events: [{ type: "sum", data: sum }], cursor };
    },
    ...options,
  });
  const add = async (n: number): Promise<string> => {
    sum += n;
    return hub.channel("a").dispatch("add", n);
  };
  return { hub, errors, add, state };
}

describe("a snapshot", () => {
  test.each([
    ["gap", (first: string) => first],
    ["reset", () => "foreign.1.1"],
  ])("answers a %s in the stream; the position comes after it, and later events follow on it", async (kind, idOf) => {
    const { hub, add, state } = counting();
    const first = await add(1);
    for (const n of [2, 3, 4]) await add(n);
    const client = await joined(hub, "a", { lastEventId: idOf(first) });
    expect(client.types).toEqual([`sse:${kind}`, "sum", "sse:checkpoint"]);
    expect(client.data).toEqual(["10"]);
    // Until the position has come, the client would ask for all of it again.
    expect(client.events.map(({ lastEventId }) => lastEventId === "")).toEqual([true, true, false]);
    expect(client.lastEventId).toBe(await hub.cursor());
    await add(5);
    await client.settle();
    expect(client.data).toEqual(["10", "5"]);
    expect((await client.reconnect()).events).toEqual([]);
    expect(state.taken).toBe(1);
  });

  test("may take its time: events published during it follow it", async () => {
    const { hub, add, state } = counting();
    const first = await add(1);
    for (const n of [2, 3, 4]) await add(n);
    state.slow = async () => {
      state.slow = async () => {};
      // The state is read before these, and the position was taken before it.
      await hub.channel("a").dispatch("add", 5);
      await tick();
    };
    const client = await joined(hub, "a", { lastEventId: first });
    expect(client.data).toEqual(["10", "5"]);
    expect(hub.stats().gaps).toEqual({ trimmed: 1 });
  });

  test("that the log has left behind when it is there is followed by another, not by a loss", async () => {
    const { hub, add, state } = counting({ ring: { maxEvents: 1 } });
    const first = await add(1);
    for (const n of [2, 3, 4]) await add(n);
    state.slow = async () => {
      state.slow = async () => {};
      for (const n of [5, 6, 7]) await hub.channel("a").dispatch("add", n);
    };
    const client = await joined(hub, "a", { lastEventId: first });
    expect(client.types).toEqual(["sse:gap", "sum", "sse:checkpoint", "sse:gap", "sum", "sse:checkpoint"]);
    expect(state.taken).toBe(2);
  });

  test("of a subscription stands over that of the hub, and is told the request and the channels", async () => {
    const { hub, add, state } = counting();
    const first = await add(1);
    for (const n of [2, 3, 4]) await add(n);
    const asked: unknown[] = [];
    const snapshot = async (
      request: { headers: { get(name: string): string | null } },
      channels: readonly string[],
    ) => {
      asked.push([request.headers.get("authorization"), channels]);
      return { events: [{ type: "own" }, { type: "own", data: { a: 1 } }], cursor: await hub.cursor() };
    };
    const headers = { authorization: "x" };
    const client = await joined(hub, { channels: ["a", "b"], snapshot }, { lastEventId: first, headers });
    expect(client.data).toEqual(["", '{"a":1}']);
    expect([asked, state.taken]).toEqual([[["x", ["a", "b"]]], 0]);
  });

  test.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("No state");
      },
    ],
    ["rejects", () => Promise.reject(new Error("No state"))],
    ["gives nothing", () => undefined],
    ["returns an invalid cursor", () => ({ events: [], cursor: "7" })],
    ["gives a cursor of another log", () => ({ events: [], cursor: "foreign.9.1" })],
    ["gives an event with a reserved type", () => ({ events: [{ type: "fine" }, { type: "sse:gap" }] })],
    ["gives an event that cannot be written", () => ({ events: [{ type: "fine" }, { type: "n", data: 1n }] })],
  ])("that %s ends the stream with nothing of it sent, and the client is told again", async (_, take) => {
    let broken = true;
    const { hub, errors, add } = counting({
      snapshot: (async () => {
        const cursor = await hub.cursor();
        return broken ? withCursor(take(), cursor) : { events: [{ type: "sum", data: "whole" }], cursor };
      }) as never,
    });
    const first = await add(1);
    for (const n of [2, 3, 4]) await add(n);
    const client = await (await follow(hub, "a", { lastEventId: first })).end();
    expect(client.events).toEqual([]);
    expect(errors.splice(0).map(([stage]) => stage)).toEqual(["snapshot"]);
    broken = false;
    expect((await client.reconnect()).types).toEqual(["sse:gap", "sum", "sse:checkpoint"]);
    expect(hub.stats().connections).toBe(1);
  });

  test("that is older than the loss ends the stream instead of being sent forever", async () => {
    let stale = "";
    const { hub, errors, add } = counting({ snapshot: () => ({ events: [{ type: "sum" }], cursor: stale }) });
    stale = await add(1);
    for (const n of [2, 3, 4]) await add(n);
    const client = await (await follow(hub, "a", { lastEventId: stale })).end();
    expect(client.events).toEqual([]);
    expect(errors.splice(0).map(([stage]) => stage)).toEqual(["snapshot"]);
  });

  test("is not taken where nothing was lost", async () => {
    const { hub, add, state } = counting();
    const first = await add(1);
    await add(2);
    await joined(hub, "a", { lastEventId: first });
    await joined(hub, "a");
    expect(state.taken).toBe(0);
  });
});

describe("the pages of a snapshot", () => {
  const events = (name: string) => Array.from({ length: 3_000 }, (_, n) => ({ type: "row", data: { name, n } }));
  const opened = async (snapshot: HubOptions["snapshot"], init: Parameters<typeof follow>[2] = {}) => {
    const { hub } = openHub({ ...(snapshot === undefined ? {} : { snapshot }) });
    return joined(hub, "a", { lastEventId: "gone.1.1", ...init });
  };

  test("have every event once and in order, and are gone when they have been sent", async () => {
    const client = await opened(() => ({ events: events("x") }));
    await vi.waitFor(() => expect(client.events.at(-1)?.type).toBe("sse:checkpoint"));
    expect(client.data.map((data) => JSON.parse(data).n)).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
    expect(sharedPages.size).toBe(0);
  });

  test("are those of the client's own request", async () => {
    const names = ["ada", "bob", "ada"];
    const { hub } = openHub({
      snapshot: async (request) => ({ events: events(request.headers.get("x-user") as string) }),
    });
    const clients = await Promise.all(
      names.map((name) => joined(hub, "a", { lastEventId: "gone.1.1", headers: { "x-user": name } })),
    );
    await vi.waitFor(() => {
      for (const { events } of clients) expect(events.at(-1)?.type).toBe("sse:checkpoint");
    });
    expect(clients.map(({ data }) => [...new Set(data.map((each) => JSON.parse(each).name))])).toEqual([
      ["ada"],
      ["bob"],
      ["ada"],
    ]);
  });

  test("are released when the client leaves: while it reads, and while the application is asked", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { hub } = openHub({
      snapshot: async (request) => {
        if (request.headers.get("x-slow") !== null) await promise;
        return { events: events("x") };
      },
    });
    const [reading, waiting] = [
      await hub.response(request({ headers: { "last-event-id": "gone.1.1" } }), { channels: ["a"] }),
      await hub.response(request({ headers: { "last-event-id": "gone.1.1", "x-slow": "1" } }), { channels: ["a"] }),
    ];
    await vi.waitFor(() => expect(sharedPages.size).toBeGreaterThan(0));
    await reading.body?.cancel();
    // A page whose encoding is under way is released after its turn.
    await vi.waitFor(() => expect(sharedPages.size).toBe(0));
    await waiting.body?.cancel();
    resolve();
    for (let turn = 0; turn < 20; turn++) await tick();
    expect(sharedPages.size).toBe(0);
  });

  test("are asked for by 32 clients at a time, and by none that has left while it waited", async () => {
    let [asked, most, total] = [0, 0, 0];
    const answers: (() => void)[] = [];
    const { hub } = openHub({
      snapshot: async () => {
        total++;
        most = Math.max(most, ++asked);
        await new Promise<void>((resolve) => answers.push(resolve));
        asked--;
        return { events: [{ type: "sum", data: 1 }] };
      },
    });
    const clients = await Promise.all(Array.from({ length: 80 }, () => follow(hub, "a", { lastEventId: "gone.1.1" })));
    await vi.waitFor(() => expect(asked).toBe(32));
    await Promise.all(clients.slice(70).map((client) => client.leave()));
    while (total < 70 || asked > 0) {
      for (const answer of answers.splice(0)) answer();
      await tick();
    }
    expect([most, total]).toEqual([32, 70]);
    await vi.waitFor(() => {
      for (const client of clients.slice(0, 70)) expect(client.types).toEqual(["sse:reset", "sum", "sse:checkpoint"]);
    });
  });

  test.each<[string, unknown]>([
    ["no list", { events: {} }],
    ["a list with a hole", { events: [null] }],
    ["an event that cannot be encoded, after many", { events: [...events("x"), { type: "n", data: 1n }] }],
  ])("are not sent, nor kept, of %s", async (_, snapshot) => {
    const { hub, errors } = openHub({ snapshot: () => snapshot as never });
    const client = await (await follow(hub, "a", { lastEventId: "gone.1.1" })).end();
    expect([client.events, sharedPages.size]).toEqual([[], 0]);
    expect(errors.splice(0).map(([stage]) => stage)).toEqual(["snapshot"]);
  });

  test("with an asynchronous schema wait for it; one rejection among many is reported once", async () => {
    const schema = (fails: boolean) => ({
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: async (value: unknown) => (fails ? { issues: [{ message: "No" }] } : { value }),
      },
    });
    for (const fails of [false, true]) {
      const snapshot = () => ({ events: events("x") });
      const { hub, errors } = openHub({ snapshot, events: defineEvents({ row: schema(fails) }) } as never);
      const client = await follow(hub, "a", { lastEventId: "gone.1.1" });
      const last = fails ? undefined : "sse:checkpoint";
      await vi.waitFor(() => expect([client.events.at(-1)?.type, client.ended]).toEqual([last, fails]));
      expect([client.data.length, errors.splice(0).length, sharedPages.size]).toEqual([fails ? 0 : 3_000, +fails, 0]);
    }
  });
});

function withCursor(snapshot: unknown, cursor: string): unknown {
  if (typeof snapshot !== "object" || snapshot === null || snapshot instanceof Promise) return snapshot;
  return { cursor, ...snapshot };
}

describe("onLoss", () => {
  test("is told of each gap and reset with the request and the channels", async () => {
    const told: unknown[] = [];
    const { hub } = openHub({
      log: memoryLog({ maxEvents: 1 }),
      onLoss: ({ request, ...loss }) => told.push([request.headers.get("authorization"), loss]),
    });
    const first = await hub.channel("a").dispatch("n", 1);
    for (const n of [2, 3]) await hub.channel("a").dispatch("n", n);
    const headers = { authorization: "x" };
    await joined(hub, ["a", "b/*"], { lastEventId: first, headers });
    await joined(hub, "a", { lastEventId: "nonsense", headers });
    const gap = { kind: "gap", channels: ["a", "b/*"], missed: 1, from: 2, to: 2, reason: "trimmed" };
    expect(told).toEqual([
      ["x", gap],
      ["x", { kind: "reset", channels: ["a"], reason: "unknown" }],
    ]);
  });

  test("that throws keeps nothing from the client", async () => {
    const onLoss = vi.fn(() => {
      throw new Error("No listener");
    });
    const { hub, errors } = openHub({ onLoss });
    const client = await joined(hub, "a", { lastEventId: "nonsense" });
    expect([client.types, client.ended]).toEqual([["sse:reset"], false]);
    expect(errors.splice(0)).toEqual([["gap", "No listener"]]);
  });

  test("that is async and rejects is reported, and keeps nothing from the client", async () => {
    const { hub, errors } = openHub({ onLoss: async () => Promise.reject(new Error("No listener")) });
    const client = await joined(hub, "a", { lastEventId: "nonsense" });
    expect([client.types, client.ended]).toEqual([["sse:reset"], false]);
    expect(errors.splice(0)).toEqual([["gap", "No listener"]]);
  });
});
