import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { follow, joined, openHub } from "../../support/hub.ts";
import { request, tick } from "../../support/web.ts";

const nobody = { connections: 0, live: 0, lagging: 0, channels: 0 };

describe("authorize", () => {
  test.each([
    ["false", false],
    ["a promise of it", Promise.resolve(false)],
    ["nothing", undefined],
    ["something truthy", 1],
  ])("that answers %s: 403, no stream, no connection", async (_, answer) => {
    const { hub } = openHub({ authorize: () => answer as boolean });
    const response = await hub.response(request(), { channels: ["a"] });
    expect([response.status, await response.text()]).toEqual([403, "This client may not read this event stream\n"]);
    expect(hub.stats()).toMatchObject({ ...nobody, refused: { authorize: 1 } });
  });

  test("is asked with the request for every channel that is named, and all must be allowed", async () => {
    const asked: unknown[] = [];
    const { hub } = openHub({
      authorize: ({ request, channel }) => {
        asked.push([request.headers.get("authorization"), channel]);
        return channel !== "b/*";
      },
    });
    expect((await joined(hub, ["a", "c"], { headers: { authorization: "x" } })).status).toBe(200);
    expect((await joined(hub, ["a", "b/*", "d"])).status).toBe(403);
    expect(asked).toEqual([
      ["x", "a"],
      ["x", "c"],
      [null, "a"],
      [null, "b/*"],
    ]);
  });

  test("is called once for each channel under a prefix, when it appears; nothing of rejected ones is delivered, live or replayed", async () => {
    const asked = vi.fn(({ channel }: { channel: string }) => Promise.resolve(!channel.includes("secret")));
    const { hub } = openHub({ authorize: asked });
    const before = await hub.cursor();
    const client = await joined(hub, "a/*");
    for (const round of [1, 2]) {
      for (const name of ["a/open", "a/secret", "a/other"]) await hub.channel(name).dispatch("n", `${name} ${round}`);
      await client.settle();
    }
    const expected = [1, 2].flatMap((round) => [`a/open ${round}`, `a/other ${round}`]);
    expect(client.data).toEqual(expected);
    expect(asked.mock.calls.map(([{ channel }]) => channel)).toEqual(["a/*", "a/open", "a/secret", "a/other"]);
    expect((await joined(hub, "a/*", { lastEventId: before })).data).toEqual(expected);
    expect(hub.stats()).toMatchObject({ live: 2, lagging: 0 });
  });

  test("is called again before a replay: a permission may have been withdrawn", async () => {
    let allowed = true;
    const { hub } = openHub({ authorize: ({ channel }) => channel === "a/*" || allowed });
    const client = await joined(hub, "a/*");
    await hub.channel("a/1").dispatch("n", 1);
    await client.settle();
    await client.leave();
    await hub.channel("a/1").dispatch("n", 2);
    allowed = false;
    const again = await client.reconnect();
    expect([client.data, again.data, again.ended]).toEqual([["1"], [], false]);
  });

  test("that fails at the start rejects the client, which may retry", async () => {
    let broken = true;
    const { hub, errors } = openHub({
      authorize: async () => {
        if (broken) throw new Error("No database");
        return true;
      },
    });
    const client = await (await follow(hub, "a")).end();
    expect(client.later?.reason).toBe("error");
    expect(client.later?.retry).toBeGreaterThanOrEqual(5_000);
    expect(errors.splice(0)).toEqual([["authorize", "No database"]]);
    expect(hub.stats()).toMatchObject(nobody);
    broken = false;
    expect((await joined(hub, "a")).ended).toBe(false);
  });

  test("that fails in the middle ends the stream, and the client misses nothing of what it may see", async () => {
    let broken = false;
    const { hub, errors } = openHub({
      authorize: ({ channel }) => {
        if (broken && channel === "a/2") throw new Error("No database");
        return true;
      },
    });
    const client = await joined(hub, "a/*");
    await hub.channel("a/1").dispatch("n", 1);
    await client.settle();
    broken = true;
    await hub.channel("a/2").dispatch("n", 2);
    await client.end();
    expect([client.data, client.control("end"), errors.splice(0)]).toEqual([["1"], [], [["authorize", "No database"]]]);
    broken = false;
    expect((await client.reconnect()).data).toEqual(["2"]);
  });
});

describe("reauthorize", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
  });
  afterEach(() => void vi.useRealTimers());

  test("runs again every interval, and ends the stream of a client that is no longer allowed, with a reason", async () => {
    const allowed = new Set(["a", "b", "c/*", "c/1"]);
    const { hub } = openHub({ authorize: ({ channel }) => allowed.has(channel), reauthorize: "1m" });
    const one = await joined(hub, ["a", "b"]);
    const other = await joined(hub, "a");
    const prefix = await joined(hub, "c/*");
    await hub.channel("c/1").dispatch("n", 1);
    allowed.delete("b");
    allowed.delete("c/1");
    await vi.advanceTimersByTimeAsync(59_000);
    expect(hub.stats().connections).toBe(3);
    await vi.advanceTimersByTimeAsync(3_000);
    await one.end();
    expect(one.control("end")).toEqual([{ reason: "revoked" }]);
    expect((await one.reconnect()).status).toBe(403);
    await hub.channel("c/1").dispatch("n", 2);
    await prefix.settle();
    expect([other.ended, prefix.ended, prefix.data]).toEqual([false, false, ["1"]]);
    expect(hub.stats()).toMatchObject({ connections: 2, live: 2 });
  });

  test("that fails ends the stream without a word, and the client may come back", async () => {
    let broken = false;
    const { hub, errors } = openHub({
      authorize: () => {
        if (broken) throw new Error("No database");
        return true;
      },
      reauthorize: "1m",
    });
    const client = await joined(hub, "a");
    broken = true;
    await vi.advanceTimersByTimeAsync(62_000);
    await client.end();
    expect([client.control("end"), errors.splice(0).length]).toEqual([[], 1]);
    broken = false;
    await hub.channel("a").dispatch("n", 1);
    expect((await client.reconnect()).data).toEqual(["1"]);
  });
});

describe("revoke", () => {
  test("ends the streams of a key immediately, with sse:end, and no others", async () => {
    const { hub } = openHub();
    const mine = [
      await joined(hub, { channels: ["a"], key: "ada" }),
      await joined(hub, { channels: ["b"], key: "ada" }),
    ];
    const other = await joined(hub, { channels: ["a"], key: "bob" });
    const anonymous = await joined(hub, "a");
    await hub.channel("a").dispatch("n", 1);
    expect(hub.revoke("ada")).toBe(2);
    await hub.channel("a").dispatch("n", 2);
    for (const client of mine) expect((await client.end()).control("end")).toEqual([{ reason: "revoked" }]);
    await other.settle();
    expect([mine[0]?.data, other.data, anonymous.data]).toEqual([["1"], ["1", "2"], ["1", "2"]]);
    expect([hub.revoke("ada"), hub.revoke("nobody"), hub.stats().connections]).toEqual([0, 0, 2]);
    await other.leave();
    expect(hub.revoke("bob")).toBe(0);
  });

  test("lets the client come back with its position, if authorize does", async () => {
    const { hub } = openHub();
    const client = await joined(hub, { channels: ["a"], key: "ada" });
    await hub.channel("a").dispatch("n", 1);
    await client.settle();
    hub.revoke("ada");
    await hub.channel("a").dispatch("n", 2);
    expect((await (await client.end()).reconnect()).data).toEqual(["2"]);
  });

  test("is not outrun by a request that was allowed before it and opens after it", async () => {
    let answer: (allowed: boolean) => void = () => {};
    const { hub } = openHub({
      authorize: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    const opening = follow(hub, { channels: ["a"], key: "ada" });
    await tick();
    hub.revoke("ada");
    answer(true);
    const client = await (await opening).end();
    expect([client.later?.reason, hub.stats().connections]).toEqual(["revoked", 0]);
  });
});
