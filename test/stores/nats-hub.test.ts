import type { NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Hub } from "../../src/index.ts";
import type { CompleteLog } from "../../src/log/complete.ts";
import { type NatsLogOptions, natsLog } from "../../src/logs/nats/index.ts";
import { presence } from "../../src/presence/index.ts";
import { at, entry, range, read, select } from "../../src/testing/log/ask.ts";
import { follow, type HubClient, joined, openHub } from "../support/hub.ts";
import { testHubs } from "../support/stores/hub-suite.ts";
import { connectNats, startNats } from "../support/stores/nats-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

let server: StoreServer;
let connection: NatsConnection;
let count = 0;
const logs: CompleteLog[] = [];

beforeAll(async () => {
  server = await startNats();
  connection = await connectNats(server);
});

afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
});

afterAll(async () => {
  await connection?.close();
  await server?.[Symbol.asyncDispose]();
});

/** The events that were published, without those of the hub. */
function dataOf({ events }: HubClient): string[] {
  return events.filter(({ type }) => !type.startsWith("sse:")).map(({ data }) => data);
}

/** A stream of its own, which several hubs of the test share. */
function stream(options: Partial<NatsLogOptions> = {}): (connection?: NatsConnection) => CompleteLog {
  const name = `hub-${++count}`;
  return (used = connection) => {
    const log = natsLog({ connection: used, stream: name, ...options });
    logs.push(log);
    return log;
  };
}

testHubs("NATS", async (retention, body) => {
  const open = stream(retention);
  await body(() => open());
});

/** The connection, and how many requests went over it. */
function counting(): { connection: NatsConnection; requests: () => number } {
  let requests = 0;
  const publish: NatsConnection["publish"] = (subject, ...rest) => {
    requests++;
    connection.publish(subject, ...rest);
  };
  const request: NatsConnection["request"] = (...question) => {
    requests++;
    return connection.request(...question);
  };
  const counted = Object.create(connection, { publish: { value: publish }, request: { value: request } });
  for (const name of ["subscribe", "status", "isClosed"] as const) {
    Object.defineProperty(counted, name, { value: (connection[name] as () => unknown).bind(connection) });
  }
  return { connection: counted, requests: () => requests };
}

test("two hubs are one: events, ends, and clients that move from one to the other", async () => {
  const open = stream();
  const [one, two] = [openHub({ log: open() }).hub, openHub({ log: open() }).hub];
  const client = await joined(one, ["news", "orders/*"]);
  await two.channel("news").dispatch("headline", "Rain");
  await one.channel("orders/7").dispatch("shipped", "parcel");
  await vi.waitFor(() => expect(dataOf(client)).toEqual(["Rain", "parcel"]));
  const { lastEventId } = client.parser;
  await client.leave();
  await one.channel("news").dispatch("headline", "Sun");
  const moved = await follow(two, ["news", "orders/*"], { lastEventId });
  await vi.waitFor(() => expect(dataOf(moved)).toEqual(["Sun"]));
  await one.channel("news").end();
  await one.channel("done").end();
  const again = await follow(two, ["done"], { lastEventId: moved.parser.lastEventId });
  await vi.waitFor(() => expect(again.ended).toBe(true));
});

test("latest values, rewind, conditional and idempotent publishing", async () => {
  const open = stream({ maxEvents: 3 });
  const [one, two] = [openHub({ log: open() }).hub, openHub({ log: open() }).hub];
  const state = one.channel("state");
  for (const i of range(1, 6)) await state.dispatch("reading", `${i}`, { key: i % 2 === 0 ? "even" : "odd" });
  for (const i of range(1, 6)) await one.channel("noise").dispatch("tick", `${i}`);
  await vi.waitFor(async () => expect((await logs[0]?.head())?.floor.offset).toBe(9));
  // The entries were removed, and the newest of each key is there for a client that begins.
  const client = await follow(two, ["state"]);
  await vi.waitFor(() => expect(dataOf(client)).toEqual(["5", "6"]));
  const rewound = await follow(two, { channels: ["noise"], rewind: 2 });
  await vi.waitFor(() => expect(dataOf(rewound)).toEqual(["5", "6"]));

  const after = await two.cursor();
  const cursor = await one.channel("order").dispatch("placed", "1", { after });
  await expect(two.channel("order").dispatch("placed", "2", { after })).rejects.toMatchObject({
    code: "ERR_SSE_CONFLICT",
  });
  await two.channel("order").dispatch("placed", "3", { after: cursor });
  const first = await one.channel("order").dispatch("paid", "4", { idempotencyKey: "k" });
  expect(await two.channel("order").dispatch("paid", "4", { idempotencyKey: "k" })).toBe(first);
});

test("presence: a hub knows who is connected to another one", async () => {
  const open = stream();
  const [one, two] = [0, 1].map(() => openHub({ log: open(), presence: presence({ grace: 50 }) }).hub);
  const ids = async () => (await two?.channel("room").members())?.map(({ id }) => id);
  const client = await joined(one as Hub, { channels: ["room"], member: { id: "ada" } });
  await vi.waitFor(async () => expect(await ids()).toEqual(["ada"]), { timeout: 5_000 });
  await client.leave();
  await vi.waitFor(async () => expect(await ids()).toEqual([]), { timeout: 5_000 });
});

test("10,000 clients that reconnect cost tens of requests", async () => {
  const open = stream();
  const writer = open();
  await writer.append(range(1, 900).map((i) => entry(`user/${i}`, "x".repeat(100))));
  await writer.append(range(901, 1_800).map((i) => entry(`user/${i}`, "x".repeat(100))));
  const cursors = await Promise.all(range(0, 99).map((i) => at(writer, 1_000 + i * 8)));

  const { connection: counted, requests } = counting();
  const log = open(counted);
  await log.head();
  const before = requests();
  const questions = range(1, 10_000).map((i) => ({
    cursor: cursors[i % cursors.length] ?? null,
    selection: select(`user/${i}`),
  }));
  const { answers } = await log.locate(questions);
  expect(new Set(answers.map(({ verification }) => verification))).toEqual(new Set(["same"]));
  const located = requests() - before;
  const pages = await Promise.all(
    questions.map(({ cursor, selection }) => read(log, cursor?.offset ?? 0, 100, selection)),
  );
  const replayed = requests() - before - located;
  expect(pages.flatMap(({ entries }) => entries).length).toBeGreaterThan(300);
  process.stdout.write(`10,000 reconnects: ${located} requests to locate them, ${replayed} to replay\n`);
  expect(located).toBeLessThanOrEqual(40);
  expect(replayed).toBeLessThanOrEqual(40);
});
