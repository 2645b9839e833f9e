/** Redis Cluster of three nodes: all keys of a log are in one slot, whichever node has it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisLog } from "../../src/logs/redis/index.ts";
import { at, dataOf, entry, range, read, select } from "../../src/testing/log/ask.ts";
import { TailRecorder } from "../../src/testing/log/scenario.ts";
import { eventually } from "../support/deadline.ts";
import { freePort } from "../support/server-process.ts";
import { redisClusters } from "../support/stores/redis-clients.ts";
import { redisCommand, startRedis } from "../support/stores/redis-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

const slots = 16_384;
const nodes: StoreServer[] = [];

beforeAll(async () => {
  const buses: number[] = [];
  for (const _ of range(1, 3)) {
    // By default it is 10,000 above the other port, where systems have the ports of outgoing connections.
    const bus = await freePort();
    const cluster = { "cluster-enabled": "yes", "cluster-config-file": "nodes.conf", "cluster-port": bus };
    nodes.push(await startRedis(cluster));
    buses.push(bus);
  }
  const [first] = nodes as [StoreServer];
  const share = Math.ceil(slots / nodes.length);
  for (const [i, node] of nodes.entries()) {
    const last = Math.min(slots, (i + 1) * share) - 1;
    await redisCommand(node, `CLUSTER ADDSLOTSRANGE ${i * share} ${last}`);
    if (i > 0) await redisCommand(node, `CLUSTER MEET 127.0.0.1 ${first.port} ${buses[0]}`);
  }
  for (const node of nodes) {
    const state = () => redisCommand(node, "CLUSTER INFO");
    await eventually("the cluster is complete", state, (answer) => answer.includes("cluster_state:ok"), 30_000);
  }
});

afterAll(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]();
});

describe.each(Object.entries(redisClusters))("with %s", (name, open) => {
  // Names whose slots are on different nodes.
  test.each(range(1, 4).map((i) => `${name}-${i}`))("a log named %s", async (key) => {
    const { client, close } = await open((nodes[0] as StoreServer).port);
    const log = redisLog({ client, key, maxEvents: 5 });
    try {
      const tail = new TailRecorder(log, await at(log, 0));
      await log.append(
        range(1, 5).map((i) => entry(`c${i % 2}`, `${i}`, { key: `k${i % 3}`, idempotencyKey: `${i}` })),
      );
      // Before the first of them may be trimmed.
      await tail.count(5);
      await log.append([entry("c1", "again", { idempotencyKey: "5" }), entry("c1", "6", { after: await at(log, 5) })]);
      await tail.count(6);
      expect(tail.offsets).toEqual(range(1, 6));
      expect(dataOf((await read(log, 0, 10, select("c1"))).entries)).toEqual(["1", "3", "5", "6"]);
      expect(dataOf(await log.last(1, select("c*")))).toEqual(["6"]);
      expect((await log.locate([{ cursor: await at(log, 6), selection: select("c1") }])).answers[0]?.verification).toBe(
        "same",
      );
      await eventually(
        "it is trimmed",
        () => log.head(),
        ({ floor }) => floor.offset === 1,
      );
      expect(await log.witnesses([1])).toEqual([tail.entries[0]?.witness]);
    } finally {
      await log.close();
      close();
    }
  });
});
