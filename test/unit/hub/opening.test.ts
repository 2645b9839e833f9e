// The first bytes of a hub's stream: the position as a checkpoint, or the state that comes before it.
import { describe, expect, test } from "vitest";
import type { SubscribeOptions } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { follow, type HubClient, joined, openHub } from "../../support/hub.ts";

type TestHub = ReturnType<typeof openHub>["hub"];

async function publish(hub: TestHub, channel: string, from: number, to: number): Promise<string[]> {
  const cursors: string[] = [];
  for (let n = from; n <= to; n++) cursors.push(await hub.channel(channel).dispatch("n", n));
  return cursors;
}

/** A stream, as lines in pairs of type and id. */
function outline({ parser }: HubClient): [type: string, id: string][] {
  return parser.events.map(({ type, lastEventId }) => [type, lastEventId]);
}

/** No block without data, and none with nothing but an id. */
function assertBlocks(client: HubClient): void {
  const blocks = client.chunks.join("").split("\n\n").slice(0, -1);
  for (const block of blocks) expect(block).toMatch(/^data: /m);
}

describe("where nothing precedes the position, the first write is the preamble and a checkpoint", () => {
  test("of a new client: the head", async () => {
    const { hub } = openHub();
    const [cursor = ""] = await publish(hub, "other", 1, 1);
    const client = await joined(hub, "a");
    expect(client.chunks).toHaveLength(1);
    expect(client.chunks[0]).toMatch(
      new RegExp(`^: keep-alive \\d+\nretry: \\d+\nevent: sse:checkpoint\nid: ${cursor}\ndata: \\{\\}\n\n$`),
    );
  });

  test("of a client with a position: that position, and the first events with it", async () => {
    const { hub } = openHub();
    const [first = "", ...rest] = await publish(hub, "a", 1, 3);
    const client = await joined(hub, "a", { lastEventId: first });
    expect(client.chunks).toHaveLength(1);
    expect(outline(client)).toEqual([["sse:checkpoint", first], ...rest.map((id) => ["n", id])]);
    assertBlocks(client);
  });

  test("of a client that is up to date, on an empty log, too", async () => {
    const { hub } = openHub();
    const cursor = await hub.cursor();
    const client = await joined(hub, "a", { lastEventId: cursor });
    expect(outline(client)).toEqual([["sse:checkpoint", cursor]]);
  });

  test("for every browser", async () => {
    const { hub } = openHub();
    for (const agent of ["Firefox/153.0", "Chrome/156.0", "Version/26.0 Safari/605.1.15"]) {
      const client = await joined(hub, "a", { headers: { "user-agent": `Mozilla/5.0 ${agent}` } });
      expect(client.opening?.lastEventId).toBe(await hub.cursor());
    }
  });

  test("a client that is cut off right after it misses nothing", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "a");
    await client.leave();
    await publish(hub, "a", 1, 2);
    expect((await client.reconnect()).data).toEqual(["1", "2"]);
  });
});

describe("where a state precedes the position, the checkpoint completes it", () => {
  test("values and ends, without ids", async () => {
    const { hub } = openHub();
    await hub.channel("a").dispatch("value", 1, { key: "x" });
    await hub.channel("b").end();
    const client = await joined(hub, ["a", "b"]);
    const cursor = await hub.cursor();
    expect(outline(client)).toEqual([
      ["value", ""],
      ["sse:end", ""],
      ["sse:checkpoint", cursor],
    ]);
    expect((await client.reconnect()).events).toEqual([]);
    assertBlocks(client);
  });

  test("a client that is cut off in between starts over", async () => {
    const { hub } = openHub();
    for (let n = 0; n < 200; n++) await hub.channel("a").dispatch("value", "x".repeat(2_000), { key: `k${n}` });
    const client = await follow(hub, "a");
    await client.until(() => client.events.length > 0);
    client.pause();
    await client.settle();
    expect(client.lastEventId).toBe("");
    expect(client.data.length).toBeLessThan(200);
    const again = await client.reconnect();
    await again.until(() => again.types.at(-1) === "sse:checkpoint");
    expect(again.data).toHaveLength(200);
  });

  test("the end of all channels has an id, and no checkpoint follows", async () => {
    const { hub } = openHub();
    await hub.channel("a").end();
    const cursor = await hub.channel("b").end();
    const client = await (await follow(hub, ["a", "b"])).end();
    expect(outline(client)).toEqual([
      ["sse:end", ""],
      ["sse:end", cursor],
    ]);
    expect((await client.reconnect()).status).toBe(204);
  });
});

describe("a declared loss", () => {
  test("carries its own position if nothing stands in for it", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }) });
    const [first = "", , third = ""] = await publish(hub, "a", 1, 5);
    const client = await joined(hub, "a", { lastEventId: first });
    // The position before the oldest retained entry: it can be verified later.
    expect(outline(client).slice(0, 1)).toEqual([["sse:gap", third]]);
    expect(client.chunks).toHaveLength(1);
    expect((await joined(hub, "a", { lastEventId: third })).data).toEqual(["4", "5"]);
  });

  test("has no id if values follow, and the checkpoint completes them", async () => {
    const { hub } = openHub();
    await hub.channel("a").dispatch("value", 1, { key: "x" });
    const client = await joined(hub, "a", { lastEventId: "foreign.1.1" });
    expect(outline(client)).toEqual([
      ["sse:reset", ""],
      ["value", ""],
      ["sse:checkpoint", await hub.cursor()],
    ]);
  });

  test("carries its own position if the values are not for this client", async () => {
    const { hub } = openHub();
    await hub.channel("a").dispatch("value", 1, { key: "x" });
    const client = await joined(hub, { channels: ["a"], filter: () => false }, { lastEventId: "foreign.1.1" });
    expect(outline(client)).toEqual([["sse:reset", await hub.cursor()]]);
  });
});

describe("from", () => {
  const start = async (from: SubscribeOptions["from"], log = memoryLog()) => {
    const { hub } = openHub({ log });
    const cursors = await publish(hub, "a", 1, 5);
    return { hub, cursors, client: await joined(hub, { channels: ["a"], ...(from !== undefined && { from }) }) };
  };

  test.each([undefined, "now"])("%j begins with the present", async (from) => {
    const { hub, client } = await start(from);
    expect([client.data, client.opening?.lastEventId]).toEqual([[], await hub.cursor()]);
  });

  test('"start" begins with the oldest retained event, at the position before it, and declares nothing', async () => {
    const { client, cursors } = await start("start", memoryLog({ maxEvents: 3 }));
    expect(client.opening?.lastEventId).toBe(cursors[1]);
    expect(client.types).toEqual(["n", "n", "n"]);
    expect(client.data).toEqual(["3", "4", "5"]);
  });

  test('"start" of a log that was never trimmed begins at its origin', async () => {
    const { client, hub } = await start("start");
    expect(client.opening?.lastEventId).toMatch(/\.0\./);
    const again = await joined(hub, "a", { lastEventId: client.opening?.lastEventId });
    expect([client.data, again.data]).toEqual([
      ["1", "2", "3", "4", "5"],
      ["1", "2", "3", "4", "5"],
    ]);
  });

  test('"start" gives trimmed values first', async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }) });
    await hub.channel("a").dispatch("value", "kept", { key: "k" });
    await publish(hub, "a", 1, 3);
    const client = await joined(hub, { channels: ["a"], from: "start" });
    expect(client.types).toEqual(["value", "sse:checkpoint", "n", "n"]);
  });

  test("a cursor begins after it", async () => {
    const { hub } = openHub();
    const [, second = ""] = await publish(hub, "a", 1, 4);
    const client = await joined(hub, { channels: ["a"], from: second });
    expect(client.opening?.lastEventId).toBe(second);
    expect(client.data).toEqual(["3", "4"]);
  });

  test("a cursor of which entries were trimmed declares them", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }) });
    const [first = ""] = await publish(hub, "a", 1, 5);
    const client = await joined(hub, { channels: ["a"], from: first });
    expect(client.control("gap")).toMatchObject([{ from: 2, to: 3, reason: "trimmed" }]);
  });

  test("a cursor of another log is reset", async () => {
    const { client } = await start("foreign.1.1");
    expect(client.control("reset")).toEqual([{ reason: "epoch" }]);
  });

  test("a cursor at the end of its channel announces the end, which the client may not know", async () => {
    const { hub } = openHub();
    await publish(hub, "a", 1, 1);
    const end = await hub.channel("a").end();
    const client = await (await follow(hub, { channels: ["a"], from: end })).end();
    expect(outline(client)).toEqual([["sse:end", end]]);
  });

  test("the client's own position wins", async () => {
    const { hub } = openHub();
    const [first = "", , third = ""] = await publish(hub, "a", 1, 4);
    expect((await joined(hub, { channels: ["a"], from: first }, { lastEventId: third })).data).toEqual(["4"]);
    expect((await joined(hub, { channels: ["a"], from: "start" }, { query: `?lastEventId=${third}` })).data).toEqual([
      "4",
    ]);
  });

  test.each([7, {}])("%j is refused", async (from) => {
    const { hub } = openHub();
    await expect(follow(hub, { channels: ["a"], from: from as string })).rejects.toMatchObject({
      code: "ERR_SSE_OPTION",
      message: expect.stringContaining("from"),
    });
  });
});

test("rewind opens with the position before the first replayed event, never with the head", async () => {
  const { hub } = openHub();
  const cursors = await publish(hub, "a", 1, 5);
  const client = await joined(hub, { channels: ["a"], rewind: 2 });
  expect(outline(client)).toEqual([
    ["sse:checkpoint", cursors[2]],
    ["n", cursors[3]],
    ["n", cursors[4]],
  ]);
  expect(client.chunks).toHaveLength(1);
});
