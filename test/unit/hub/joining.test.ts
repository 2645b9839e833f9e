// Several channels on one labeled stream: held ones resume, joining ones start as for a new client.
import { describe, expect, test } from "vitest";
import type { Hub } from "../../../src/hub/hub.ts";
import type { HubOptions } from "../../../src/hub/options.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { type HubClient, joined, openHub } from "../../support/hub.ts";

/** Every event in the short form "channel type data", and its own offset where it has an id. */
function told({ parser }: HubClient): string[] {
  return parser.events.map(({ type, data }, index) => {
    const id = parser.ownIds[index];
    return `${parser.channels[index] ?? "-"} ${type} ${data}${id === undefined ? "" : ` @${id.split(".")[1]}`}`;
  });
}

async function publish(hub: Hub, ...events: `${string} ${string}`[]): Promise<string> {
  let cursor = "";
  for (const event of events) {
    const [channel = "", data = ""] = event.split(" ");
    const [key = ""] = data.includes("=") ? data.split("=") : [];
    cursor = await hub.channel(channel).dispatch("n", data, key === "" ? {} : { key });
  }
  return cursor;
}

describe("labels", () => {
  test("are in every event of a channel: live, replayed, values, ends and snapshots, with the concrete name", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 4 }), ring: { maxEvents: 1 } });
    const first = await publish(hub, "a 1", "p/1 x=1");
    await hub.channel("p/1").end();
    const client = await joined(hub, { channels: ["a", "p/*", "p/1"], label: true });
    await publish(hub, "a 2", "p/2 3");
    await client.settle();
    expect(told(client)).toEqual(["p/1 n x=1", "- sse:checkpoint {} @3", "a n 2 @4", "p/2 n 3 @5"]);
    const replayed = await joined(hub, { channels: ["a", "p/*"], label: true }, { lastEventId: first });
    expect(told(replayed).slice(1)).toEqual(['p/1 sse:end {"channel":"p/1"} @3', "a n 2 @4", "p/2 n 3 @5"]);
    const snapshot = (_: object, channels: readonly string[]) => ({
      events: [{ type: "state", data: channels.join() }],
    });
    await publish(hub, "a 4", "a 5", "a 6", "a 7", "a 8");
    const lost = await joined(hub, { channels: ["a", "p/*"], label: true, snapshot }, { lastEventId: first });
    const [gap, ...rest] = told(lost);
    expect(gap).toMatch(/^- sse:gap \{.*"channels":\["a","p\/\*"\]\}$/);
    expect(rest).toEqual(["a state a", "p/* state p/*", "- sse:checkpoint {} @10"]);
  });

  test("are not sent to others, and are encoded once for all that get them", async () => {
    const { hub } = openHub();
    const plain = await joined(hub, ["a", "b"]);
    const before = hub.stats().ringBytes;
    await publish(hub, "a 1");
    await plain.settle();
    const labeled = await Promise.all(["x", "y"].map(() => joined(hub, { channels: ["a"], label: true })));
    await publish(hub, "a 1");
    for (const client of [plain, ...labeled]) await client.settle();
    expect(plain.chunks.join("")).not.toContain("channel:");
    for (const client of labeled) expect(client.chunks.at(-1)).toMatch(/^event: n\nid: \S+\nchannel: a\ndata: 1\n\n$/);
    // Two events, and the second one with its label once. Their ids differ in length.
    const written = [...plain.chunks.slice(-2), `${labeled[0]?.chunks.at(-1)}`];
    expect(hub.stats().ringBytes - before).toBe(written.join("").length);
  });

  test("come with the limit of channels in the opening, as soon as there is one", async () => {
    const keepAlive = "15s";
    const { hub } = openHub({ keepAlive, limits: { channels: 2 } });
    const { comments } = (await joined(hub, { channels: ["a"], label: true })).parser;
    expect(comments).toEqual(["keep-alive 15000", "channels 2"]);
    expect((await joined(hub, ["a"])).parser.comments).toEqual(["keep-alive 15000"]);
    const tooMany = await joined(hub, { channels: ["a", "b"], join: ["c"], label: true });
    expect(tooMany.parser.comments).toEqual(["channels 2"]);
    expect(JSON.parse(tooMany.events[0]?.data ?? "")).toMatchObject({ reason: "channels", limit: 2 });
    const endless = openHub({ keepAlive, limits: { channels: Number.POSITIVE_INFINITY } }).hub;
    expect((await joined(endless, { channels: ["a"], label: true })).parser.comments).toEqual(["keep-alive 15000"]);
  });
});

describe("a joining channel", () => {
  test("starts at the present with its values, while the held one resumes at the cursor", async () => {
    const { hub } = openHub();
    const cursor = await publish(hub, "a 1", "b 1", "b k=1", "a 2");
    await publish(hub, "a 3", "b 2", "b k=2", "a 4");
    const client = await joined(hub, { channels: ["a"], join: ["b"], label: true }, { lastEventId: cursor });
    await publish(hub, "b 3", "a 5");
    await client.settle();
    expect(told(client)).toEqual([
      "b n k=2",
      '- sse:checkpoint {"held":4,"joined":8} @4',
      "a n 3 @5",
      "a n 4 @8",
      "b n 3 @9",
      "a n 5 @10",
    ]);
  });

  test("starts where `from` and `rewind` say, in the order of the log, and the held one is not repeated", async () => {
    const { hub } = openHub();
    await publish(hub, "b 1", "a 1", "b 2");
    const cursor = await publish(hub, "a 2");
    await publish(hub, "b 3", "a 3");
    const start = await joined(
      hub,
      { channels: ["a"], join: ["b"], label: true, from: "start" },
      { lastEventId: cursor },
    );
    expect(told(start)).toEqual([
      '- sse:checkpoint {"held":4,"joined":0} @0',
      "b n 1 @1",
      "b n 2 @3",
      "b n 3 @5",
      "a n 3 @6",
    ]);
    const options = { channels: ["a"], join: ["b"], label: true, rewind: 2 };
    expect(told(await joined(hub, options, { lastEventId: cursor })).slice(0, 2)).toEqual([
      '- sse:checkpoint {"held":4,"joined":2} @2',
      "b n 2 @3",
    ]);
  });

  test("resumes with everything after a cut, at the position that it was given", async () => {
    const { hub } = openHub();
    const cursor = await publish(hub, "a 1");
    await publish(hub, "b 1", "a 2");
    const options = { channels: ["a"], join: ["b"], label: true, from: "start" };
    const client = await joined(hub, options, { lastEventId: cursor });
    await client.leave();
    await publish(hub, "b 2");
    const [checkpoint] = client.parser.events;
    const again = await joined(
      hub,
      { channels: ["a", "b"], label: true },
      { lastEventId: checkpoint?.lastEventId ?? "" },
    );
    expect(again.data).toEqual(["1", "b 1", "2", "b 2"].map((data) => data.replace("b ", "")));
  });

  test("gets no part of the loss of a held one", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 3 }), ring: { maxEvents: 1 } });
    const cursor = await publish(hub, "a 1", "b k=1");
    await publish(hub, "a 2", "a k=1", "a 3", "b 1", "a 4");
    const client = await joined(hub, { channels: ["a"], join: ["b"], label: true }, { lastEventId: cursor });
    expect(told(client)).toEqual([
      '- sse:gap {"missed":1,"from":3,"to":3,"reason":"trimmed","exact":false,"channels":["a"]}',
      "a n k=1",
      "b n k=1",
      '- sse:checkpoint {"held":4,"joined":7} @4',
      "a n 3 @5",
      "a n 4 @7",
    ]);
    const reset = await joined(hub, { channels: ["a"], join: ["b"], label: true }, { lastEventId: "zzz.1.1" });
    expect(told(reset)).toEqual([
      '- sse:reset {"reason":"epoch","channels":["a"]}',
      "a n k=1",
      "b n k=1",
      "- sse:checkpoint {} @7",
    ]);
  });

  test("that a held prefix covers is held; a held one under a joining prefix keeps its place", async () => {
    const { hub } = openHub();
    const cursor = await publish(hub, "p/1 k=1");
    await publish(hub, "p/1 1", "p/2 k=2", "p/2 2");
    const held = await joined(hub, { channels: ["p/*"], join: ["p/1"], label: true }, { lastEventId: cursor });
    expect(held.data).toEqual(["1", "k=2", "2"]);
    const prefix = await joined(hub, { channels: ["p/1"], join: ["p/*"], label: true }, { lastEventId: cursor });
    expect(told(prefix)).toEqual(["p/2 n k=2", '- sse:checkpoint {"held":1,"joined":4} @1', "p/1 n 1 @2"]);
  });

  test("is new together with all others where the client has no position, and alone where it holds nothing", async () => {
    const { hub } = openHub();
    const cursor = await publish(hub, "a k=1", "b k=2");
    await publish(hub, "a 1", "b 1");
    const all = await joined(hub, { channels: ["a"], join: ["b"], label: true });
    expect(told(all)).toEqual(["a n k=1", "b n k=2", "- sse:checkpoint {} @4"]);
    const alone = await joined(hub, { channels: [], join: ["b"], label: true }, { lastEventId: cursor });
    expect(told(alone)).toEqual(["b n k=2", "- sse:checkpoint {} @4"]);
  });

  test("that has ended says so, and the stream ends with the last of all channels", async () => {
    const { hub } = openHub();
    await publish(hub, "a 1", "b 1");
    await hub.channel("b").end();
    const cursor = await hub.cursor();
    const client = await joined(hub, { channels: ["a"], join: ["b"], label: true }, { lastEventId: cursor });
    expect(told(client)).toEqual(['b sse:end {"channel":"b"}', "- sse:checkpoint {} @3"]);
    expect(client.ended).toBe(false);
    await hub.channel("a").end();
    await client.end();
    expect((await client.reconnect({ channels: ["a", "b"], join: [] })).status).toBe(204);
  });
});

describe("a channel that may not be read", () => {
  const authorize: HubOptions["authorize"] = ({ channel }) => !channel.startsWith("secret");

  test("is declared on a labeled stream, and the others continue", async () => {
    const { hub } = openHub({ authorize });
    const options = { channels: ["a", "secret/1"], join: ["secret/*"], forbidden: ["other"], label: true };
    const client = await joined(hub, options);
    await publish(hub, "secret/1 1", "a 1");
    await client.settle();
    expect(client.control("end")).toEqual(
      ["other", "secret/1", "secret/*"].map((channel) => ({ channel, reason: "forbidden" })),
    );
    expect(client.parser.ownIds.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    expect([client.data, client.ended, hub.stats().channels]).toEqual([["1"], false, 1]);
  });

  test.each([
    ["all of them are rejected", { channels: ["secret"], join: ["secret/1"], label: true }],
    ["all were rejected before", { channels: [], forbidden: ["a"], label: true }],
    ["the stream has no labels", { channels: ["a", "secret"] }],
    ["the stream has no labels, and the rejection came before", { channels: ["a"], forbidden: ["b"] }],
  ])("is answered with 403 where %s", async (_, options) => {
    const { hub } = openHub({ authorize });
    expect((await joined(hub, options)).status).toBe(403);
    expect(hub.stats()).toMatchObject({ connections: 0, refused: { authorize: 1 } });
  });

  test("ends alone when its permission is withdrawn, a prefix with all its channels", async () => {
    let revoked = "";
    const { hub } = openHub({ authorize: ({ channel }) => channel !== revoked, reauthorize: 40 });
    const client = await joined(hub, { channels: ["a", "p/*", "b"], label: true });
    await publish(hub, "p/1 1", "a 1");
    await client.settle();
    revoked = "p/*";
    await client.until(() => client.control("end").length === 1);
    await publish(hub, "p/1 2", "p/2 2", "a 2");
    await client.settle();
    expect(client.control("end")).toEqual([{ channel: "p/*", reason: "revoked" }]);
    expect([client.data, client.ended]).toEqual([["1", "1", "2"], false]);
  });

  test("ends the stream when it was the last one", async () => {
    let allowed = true;
    const { hub } = openHub({ authorize: () => allowed, reauthorize: 40 });
    const client = await joined(hub, { channels: ["a", "b"], label: true });
    allowed = false;
    await client.end();
    expect(client.control("end")).toEqual(["a", "b"].map((channel) => ({ channel, reason: "revoked" })));
  });

  test("is found out again by a client whose key was revoked: the stream ends for now, not for good", async () => {
    const { hub } = openHub({ retry: [1_000, 1_001] });
    const client = await joined(hub, { channels: ["a", "b"], label: true, key: "ada" });
    expect(hub.revoke("ada")).toBe(1);
    await client.end();
    expect(client.later?.reason).toBe("revoked");
    expect(client.later?.retry).toBeLessThan(1_002);
  });
});
