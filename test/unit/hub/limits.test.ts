import { describe, expect, test } from "vitest";
import { createHub, type HubOptions } from "../../../src/index.ts";
import { follow, joined, openHub } from "../../support/hub.ts";
import { request, tick } from "../../support/web.ts";

const empty = { connections: 0, live: 0, lagging: 0, channels: 0 };

describe("over a limit", () => {
  test.each<[string, HubOptions, { channels: string[]; key?: string }]>([
    ["connections", { limits: { connections: 2 } }, { channels: ["a"] }],
    ["connectionsPerKey", { limits: { connectionsPerKey: 2 } }, { channels: ["a"], key: "ada" }],
  ])(
    "%s: a new client gets 200, a large random retry and the end; open connections stay",
    async (limit, options, subscribe) => {
      const { hub } = openHub(options);
      const old = [await joined(hub, subscribe), await joined(hub, subscribe)];
      const retries = new Set<number | undefined>();
      for (let n = 0; n < 5; n++) {
        const client = await (await follow(hub, subscribe)).end();
        expect([client.status, client.response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
        expect([client.events.length, client.lastEventId]).toEqual([1, ""]);
        expect(client.later?.reason).toBe(limit);
        expect(client.later?.retry).toBeGreaterThanOrEqual(5_000);
        retries.add(client.parser.retry);
      }
      expect(retries.size).toBeGreaterThan(1);
      await hub.channel("a").dispatch("n", 1);
      await old[0]?.settle();
      expect(old.map(({ data }) => data)).toEqual([["1"], ["1"]]);
      expect(hub.stats()).toMatchObject({ connections: 2, refused: { [limit]: 5 } });
      await old[1]?.leave();
      expect((await joined(hub, subscribe)).ended).toBe(false);
    },
  );

  test("channels: those of one connection, a prefix is one, what is named twice or covered counts once", async () => {
    const { hub } = openHub({ limits: { channels: 2 } });
    expect((await joined(hub, ["a", "a", "b/*", "b/1", "b/2"])).ended).toBe(false);
    const client = await (await follow(hub, ["a", "b/*", "c"])).end();
    expect(client.later?.reason).toBe("channels");
    expect(hub.stats()).toMatchObject({ connections: 1, refused: { channels: 1 } });
    expect(
      (
        await joined(
          openHub().hub,
          Array.from({ length: 100 }, (_, n) => `c${n}`),
        )
      ).ended,
    ).toBe(false);
  });

  test("of one key: others, and those without one, do not count", async () => {
    const { hub } = openHub({ limits: { connectionsPerKey: 1 } });
    const clients = [];
    for (const key of ["ada", "bob", undefined, undefined, "__proto__"]) {
      clients.push(await joined(hub, key === undefined ? "a" : { channels: ["a"], key }));
    }
    expect(clients.map(({ ended }) => ended)).toEqual(Array(5).fill(false));
    await (await follow(hub, { channels: ["a"], key: "ada" })).end();
    await clients[0]?.leave();
    expect((await joined(hub, { channels: ["a"], key: "ada" })).ended).toBe(false);
  });

  test("no other request takes the slot while one is being authorized", async () => {
    const { hub } = openHub({ limits: { connections: 1 }, authorize: () => tick().then(() => true) });
    const [one, other] = await Promise.all([follow(hub, "a"), follow(hub, "a")]);
    await tick();
    expect([one.ended, (await other.end()).ended, hub.stats().connections]).toEqual([false, true, 1]);
  });

  test.each([
    { connections: -1 },
    { connections: 1.5 },
    { connectionsPerKey: Number.NaN },
    { channels: "3" },
    { maxReplay: -1 },
    { eventSize: "1 lightyear" },
    { maxLifetime: "soon" },
    { stallTimeout: -5 },
  ])("%j is refused as limits", (limits) => {
    expect(() => createHub({ limits: limits as never })).toThrow(
      expect.objectContaining({ code: "ERR_SSE_OPTION", message: expect.stringContaining("limits.") }),
    );
  });

  test.each([
    { ring: { maxEvents: 0 } },
    { ring: { maxEvents: Number.NaN } },
    { ring: { maxBytes: "x" } },
    { keepAlive: 0 },
    { retry: -1 },
    { reauthorize: "never" },
  ])("%j is refused", (options) => {
    expect(() => createHub(options as never)).toThrow(expect.objectContaining({ code: "ERR_SSE_OPTION" }));
  });
});

describe("the counts are right after a connection that", () => {
  /** An authorize that waits for the test. */
  function waiting() {
    let answer: (allowed: boolean | Promise<boolean>) => void = () => {};
    const authorize = () =>
      new Promise<boolean>((resolve) => {
        answer = resolve;
      });
    return { authorize, answer: (allowed: boolean | Promise<boolean>) => answer(allowed) };
  }

  const subscribe = { channels: ["a", "b/*"], key: "ada" };
  const limits = { connections: 1, connectionsPerKey: 1 };

  async function isFree(hub: ReturnType<typeof openHub>["hub"]): Promise<void> {
    await tick();
    expect(hub.stats()).toMatchObject(empty);
    expect(hub.revoke("ada")).toBe(0);
  }

  test("had left before it was answered", async () => {
    const { hub } = openHub({ limits });
    const client = await follow(hub, subscribe, { signal: AbortSignal.abort() });
    await client.end();
    await isFree(hub);
  });

  test.each([true, false])("left while authorize was asked, which then says %s", async (allowed) => {
    const { authorize, answer } = waiting();
    const { hub } = openHub({ limits, authorize });
    const controller = new AbortController();
    const opening = follow(hub, { ...subscribe, channels: ["a"] }, { signal: controller.signal });
    await tick();
    expect(hub.stats().connections).toBe(1);
    controller.abort();
    answer(allowed);
    await (await opening).end();
    await isFree(hub);
  });

  test("left while authorize was asked, which then fails", async () => {
    const { authorize, answer } = waiting();
    const { hub, errors } = openHub({ limits, authorize });
    const controller = new AbortController();
    const opening = follow(hub, { ...subscribe, channels: ["a"] }, { signal: controller.signal });
    await tick();
    controller.abort();
    answer(Promise.reject(new Error("No database")));
    await opening;
    await isFree(hub);
    expect(errors.splice(0)).toHaveLength(1);
  });

  test.each<
    [
      string,
      (
        client: Awaited<ReturnType<typeof follow>>,
        controller: AbortController,
        hub: ReturnType<typeof openHub>["hub"],
      ) => unknown,
    ]
  >([
    ["left by the signal of its request", (_, controller) => controller.abort()],
    ["cancelled its body", (client) => client.leave()],
    ["left both ways", (client, controller) => [controller.abort(), client.leave()]],
    ["was revoked", (_client, _controller, hub) => hub.revoke("ada")],
    ["received the end of all its channels", (_client, _controller, hub) => hub.channel("a").end()],
    ["was drained", (_client, _controller, hub) => hub.drain({ within: 1 })],
    ["was there at the end of the hub", (_client, _controller, hub) => hub.close()],
  ])("%s", async (how, leave) => {
    for (const moment of ["at once", "later"]) {
      const { hub } = openHub({ limits });
      const controller = new AbortController();
      const channels = how.startsWith("received") ? ["a"] : subscribe.channels;
      const opened = moment === "later" ? joined : follow;
      const client = await opened(hub, { channels, key: "ada" }, { signal: controller.signal });
      await leave(client, controller, hub);
      await client.end();
      await isFree(hub);
    }
  });

  test("had a bad header to be sent, a bad channel, a bad member", async () => {
    const { hub, errors } = openHub({ limits });
    const answers: unknown[] = [];
    for (const bad of [{ headers: { "x\n": "y" } }, { channels: "a" }, { cors: 7 }, { member: 7 }, { rewind: "1" }]) {
      const answer = hub.response(request(), { ...subscribe, ...bad } as never);
      answers.push(await answer.then(({ status }) => status).catch(({ code }) => code));
    }
    // A string in place of a list may come from a client, which gets an answer.
    expect(answers).toEqual(["ERR_SSE_OPTION", 400, "ERR_SSE_OPTION", "ERR_SSE_OPTION", "ERR_SSE_OPTION"]);
    expect(errors.splice(0)).toHaveLength(1);
    await isFree(hub);
  });

  test("got 204 or 403, used HEAD or OPTIONS, or was rejected", async () => {
    const { hub } = openHub({ limits, authorize: ({ channel }) => channel !== "secret" });
    const end = await hub.channel("over").end();
    const statuses = [];
    for (const [channels, init] of [
      [["over"], { lastEventId: end }],
      [["secret"], {}],
      [["a"], { method: "HEAD" }],
      [["a"], { method: "OPTIONS" }],
    ] as const) {
      const client = await follow(hub, { channels, key: "ada", cors: true }, init);
      statuses.push(client.status);
      await client.end();
    }
    expect(statuses).toEqual([204, 403, 200, 204]);
    await isFree(hub);
  });
});
