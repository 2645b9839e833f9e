/** A stream with three replicas on a cluster of real servers: its leader killed, and a follower cut off. */
import type { NatsConnection } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { LogError } from "../../src/index.ts";
import type { CompleteLog } from "../../src/log/complete.ts";
import { natsLog } from "../../src/logs/nats/index.ts";
import { at, dataOf, entry, range, readOn } from "../../src/testing/log/ask.ts";
import { TailRecorder } from "../../src/testing/log/scenario.ts";
import { eventually } from "../support/deadline.ts";
import { connectNats, requestNats, startNatsCluster } from "../support/stores/nats-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Until the cluster has agreed on a leader, it does not answer. */
const electionTimeoutMs = 30_000;

/** A log with three replicas, on a connection to any of the servers. */
async function start() {
  const servers = await startNatsCluster();
  for (const server of servers) cleanups.push(() => server[Symbol.asyncDispose]());
  const connection = await connected(servers);
  const info = () => requestNats<object>(connection, "INFO").catch(() => null);
  await eventually("the cluster has a leader", info, Boolean, electionTimeoutMs);
  const log = open(connection);
  const head = () => log.head().catch(() => null);
  await eventually("the stream is there", head, Boolean, electionTimeoutMs);
  return { servers, connection, log };
}

async function connected(servers: readonly StoreServer[]): Promise<NatsConnection> {
  const [first] = servers as [StoreServer];
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
  // A server that does not answer pings is left soon.
  const connection = await connectNats(first, {
    servers: addresses,
    pingInterval: 1_000,
    maxPingOut: 2,
    timeout: 2_000,
  });
  cleanups.push(() => connection.close());
  return connection;
}

function open(connection: NatsConnection): CompleteLog {
  const log = natsLog({ connection, stream: "events", replicas: 3, appendTimeout: "30s" });
  cleanups.push(() => log.close());
  return log;
}

/** The leader of the stream comes first, and then its followers. */
async function roles(connection: NatsConnection, servers: readonly StoreServer[]) {
  interface Group {
    leader?: string;
    replicas?: { name: string; current: boolean }[];
  }
  const asked = async (): Promise<Group> =>
    requestNats<{ cluster: Group }>(connection, "STREAM.INFO.events").then(
      ({ cluster }) => cluster,
      () => ({}),
    );
  const isSettled = ({ leader, replicas = [] }: Group): boolean =>
    leader !== undefined && replicas.length === 2 && replicas.every(({ current }) => current);
  const { leader = "", replicas = [] } = await eventually("all are current", asked, isSettled, electionTimeoutMs);
  const named = (name: string) => servers[Number(name.slice(1)) - 1] as StoreServer;
  return { leader: named(leader), followers: replicas.map(({ name }) => named(name)) };
}

/** Publishes one after the other until `isEnough`, and resolves with the data of the events that were acknowledged. */
async function publish(log: CompleteLog, accepted: string[], isEnough: () => boolean): Promise<void> {
  for (let n = accepted.length; !isEnough(); n++) {
    try {
      await log.append([entry("a", `${n}`, { idempotencyKey: `${n}` })]);
      accepted.push(`${n}`);
    } catch (error) {
      expect(error).toBeInstanceOf(LogError);
    }
  }
}

test("the leader of the stream is killed: nothing that was accepted is lost, and tails continue", async () => {
  const { servers, connection, log } = await start();
  const { leader } = await roles(connection, servers);
  const tail = new TailRecorder(log, await at(log, 0));
  const { epoch } = await log.head();
  const accepted: string[] = [];
  await publish(log, accepted, () => accepted.length === 20);
  const publishing = publish(log, accepted, () => accepted.length >= 60);
  await leader.kill();
  await publishing;
  const head = await log.head();
  expect(head.epoch).toBe(epoch);
  const stored = dataOf(await readOn(log, 0, 100));
  // One whose outcome was not learned may be there, too; and each is there once.
  expect(stored.filter((data) => accepted.includes(data))).toEqual(accepted);
  expect(new Set(stored).size).toBe(stored.length);
  await tail.count(head.top);
  expect(tail.offsets).toEqual(range(1, head.top));
  // It comes back as a follower, and takes part again.
  await leader.restart();
  expect((await roles(connection, servers)).followers).toContain(leader);
});

test("a follower is cut off: the others accept events, and it shows nothing old when it is back", async () => {
  const { servers, connection, log } = await start();
  const { leader, followers } = await roles(connection, servers);
  const [follower] = followers as [StoreServer];
  const own = await connected([leader]);
  const writer = open(own);
  await writer.append([entry("a", "before")]);
  follower.pause();
  for (const n of range(1, 30)) await writer.append([entry("a", `${n}`)]);
  follower.resume();
  // This process knows only the server that was away.
  const reader = open(await connected([follower]));
  const data = await eventually(
    "it answers",
    async () => dataOf(await readOn(reader, 0, 100).catch(() => [])),
    (found) => found.length > 0,
    electionTimeoutMs,
  );
  expect(data).toEqual(["before", ...range(1, 30).map(String)]);
  const { top } = await reader.head();
  expect([top, (await log.head()).top]).toEqual([31, 31]);
});
