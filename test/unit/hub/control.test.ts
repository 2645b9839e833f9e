// Streams for clients of other protocols: `control` says how they report their own state.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Hub, SubscribeOptions } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { follow, joined, openHub } from "../../support/hub.ts";

const control: NonNullable<SubscribeOptions["control"]> = {
  end: { data: "[DONE]" },
  loss: (loss) => ({ data: { error: loss.kind, reason: loss.reason } }),
};
const run = { channels: ["run"], from: "start", control } as const;

async function publish(hub: Hub, ...data: (string | number)[]): Promise<string> {
  let cursor = "";
  for (const each of data) cursor = await hub.channel("run").dispatch("message", each);
  return cursor;
}

/** Everything but the opening. */
function body(client: { chunks: readonly string[] }): string {
  return client.chunks.join("").replace(/^: keep-alive \d+\nretry: \d+\n/, "");
}

describe("a stream of another protocol", () => {
  test("has its events and its end, and nothing of the hub's own", async () => {
    const { hub } = openHub();
    const first = await publish(hub, "Once");
    const client = await joined(hub, { ...run, headers: { "x-protocol": "v1" } });
    const last = await publish(hub, "upon");
    const end = await hub.channel("run").end();
    await client.end();
    expect(client.response.headers.get("x-protocol")).toBe("v1");
    expect(body(client)).toBe(`id: ${first}\ndata: Once\n\nid: ${last}\ndata: upon\n\nid: ${end}\ndata: [DONE]\n\n`);
    expect((await client.reconnect()).status).toBe(204);
    expect(body(await joined(hub, run))).toBe(body(client));
  });

  test("ends after the last of several channels, whether they end before or during the stream", async () => {
    const { hub } = openHub();
    await hub.channel("a").dispatch("message", 1, { key: "k" });
    await hub.channel("a").end();
    const options = { channels: ["a", "b"], control: { end: { type: "done", data: { ok: true } } } };
    const client = await joined(hub, options);
    expect(body(client)).toBe("data: 1\n\n");
    const end = await hub.channel("b").end();
    await client.end();
    expect(body(client)).toBe(`data: 1\n\nevent: done\nid: ${end}\ndata: {"ok":true}\n\n`);
    expect(body(await joined(hub, options))).toBe(body(client));
  });

  test.each([{}, { end: false }] as const)("without an event for the end just ends: %o", async (silent) => {
    const { hub } = openHub();
    const cursor = await publish(hub, 1);
    const client = await joined(hub, { ...run, control: silent });
    await hub.channel("run").end();
    await client.end();
    expect(body(client)).toBe(`id: ${cursor}\ndata: 1\n\n`);
    // Its client can have no position after the end.
    expect((await client.reconnect()).status).toBe(204);
  });

  test("declares a loss in its own terms, ends with it, and stops a client that comes back", async () => {
    const losses: unknown[] = [];
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }), onLoss: ({ reason }) => losses.push(reason) });
    const first = await publish(hub, 1);
    await publish(hub, 2, 3, 4, 5);
    const client = await follow(hub, run, { lastEventId: first });
    await client.end();
    expect(body(client)).toMatch(/^id: \S+\.lost\ndata: \{"error":"gap","reason":"trimmed"\}\n\n$/);
    expect((await client.reconnect()).status).toBe(204);
    for (const [lastEventId, reason] of [
      ["zzz.1.1", "epoch"],
      ["nonsense", "unknown"],
    ]) {
      const reset = await (await follow(hub, run, { lastEventId })).end();
      expect(JSON.parse(reset.data[0] ?? "")).toEqual({ error: "reset", reason });
    }
    expect(losses).toEqual(["trimmed", "epoch", "unknown"]);
  });

  test("may declare a loss by several events, the last of which carries the id", async () => {
    const { hub } = openHub();
    const loss = () => [{ type: "error", data: "lost" }, { data: "[DONE]" }];
    const client = await (await follow(hub, { ...run, control: { loss } }, { lastEventId: "zzz.1.1" })).end();
    expect(body(client)).toMatch(/^event: error\ndata: lost\n\nid: \S+\.lost\ndata: \[DONE\]\n\n$/);
  });

  test("without a function for it declares a loss as every other stream does, and ends", async () => {
    const { hub } = openHub();
    const client = await (await follow(hub, { ...run, control: {} }, { lastEventId: "zzz.1.1" })).end();
    expect(client.control("reset")).toEqual([{ channels: ["run"], reason: "epoch" }]);
    expect((await client.reconnect()).status).toBe(204);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("Broken");
      },
    ],
    ["returns no event", () => ({})],
    ["returns an empty list", () => []],
    ["returns a promise", () => Promise.resolve({ data: 1 })],
    ["returns a reserved type", () => ({ type: "sse:gap", data: 1 })],
  ])("ends with an error where the function for a loss %s, so that the client asks again", async (_, loss) => {
    const { hub, errors } = openHub();
    const client = await follow(hub, { ...run, control: { loss } as never }, { lastEventId: "zzz.1.1" });
    await client.end();
    expect([body(client), errors.splice(0).map(([stage]) => stage)]).toEqual(["", ["gap"]]);
  });

  test("starts at the oldest event, and declares nothing; trimmed events after a cursor are a loss", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }) });
    const first = await publish(hub, 1);
    await publish(hub, 2, 3, 4);
    expect((await joined(hub, run)).data).toEqual(["3", "4"]);
    const lost = await (await follow(hub, { ...run, from: first })).end();
    expect(lost.data).toEqual(['{"error":"gap","reason":"trimmed"}']);
    expect((await joined(hub, { ...run, from: first }, { lastEventId: await hub.cursor() })).data).toEqual([]);
  });

  test("gets 503 where another one would be told to retry, and no event of the hub in a drain or a revocation", async () => {
    const { hub } = openHub({ limits: { connections: 2 } });
    const drained = await joined(hub, run);
    const revoked = await joined(hub, { ...run, key: "ada" });
    const rejected = await joined(hub, run);
    expect([rejected.status, rejected.response.headers.get("retry-after")]).toEqual([503, expect.any(String)]);
    expect((await joined(hub, { ...run, rejectOverload: false })).later?.reason).toBe("connections");
    hub.revoke("ada");
    await revoked.end();
    await hub.drain({ within: 1 });
    await drained.end();
    for (const client of [drained, revoked]) expect(body(client)).toMatch(/^retry: \d+\n$/);
  });

  test.each([
    { label: true },
    { control: { end: { data: () => {} } } },
    { control: { end: { type: "sse:end", data: "" } } },
  ])("rejects the options %o", async (options) => {
    const { hub } = openHub();
    await expect(joined(hub, { ...run, ...options })).rejects.toThrow(TypeError);
  });
});

describe("the keep-alives of a stream of another protocol", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("are comments, also when its position has moved", async () => {
    const { hub } = openHub({ keepAlive: 1_000 });
    const client = await joined(hub, run);
    await hub.channel("other").dispatch("message", 1);
    await vi.advanceTimersByTimeAsync(2_500);
    await client.settle();
    expect(body(client)).toMatch(/^(:\n)+$/);
  });
});
