/** Faults of a real server, and of the network in front of it, with a hub and its clients on the log. */

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Hub } from "../../src/index.ts";
import type { PostgresLogOptions } from "../../src/logs/postgres/index.ts";
import { at, entry, range, read } from "../../src/testing/log/ask.ts";
import { follow, type HubClient, joined, openHub } from "../support/hub.ts";
import { type PostgresBench, postgresBench } from "../support/stores/postgres-bench.ts";
import { copyData } from "../support/stores/postgres-server.ts";

let bench: PostgresBench;

beforeAll(async () => {
  bench = await postgresBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** Two hubs on one log, as in two processes; a client listens to the second one, and the first one publishes. */
async function setUp(port = bench.server.port, options: Partial<PostgresLogOptions> = {}) {
  const schema = bench.newSchema();
  const open = () => bench.open({ pool: bench.pool(port), schema, timeout: "8s", ...options });
  const [log, other] = [open(), open()];
  const [one, two] = [openHub({ log }), openHub({ log: other })];
  const client = await joined(two.hub, "a");
  const errors = () => [...one.errors.splice(0), ...two.errors.splice(0)];
  return { schema, log, other, publisher: one.hub, hub: two.hub, client, errors };
}

/** Publishes all the time, and keeps what became of each event. */
function publishing(hub: Hub) {
  const acknowledged: string[] = [];
  const unknown: string[] = [];
  const rejected: string[] = [];
  let isRunning = true;
  const finished = (async () => {
    for (let n = 1; isRunning; n++) {
      const data = `${n}`;
      try {
        await hub.channel("a").dispatch("n", data);
        acknowledged.push(data);
      } catch (error) {
        expect(error).toMatchObject({ code: "ERR_SSE_LOG" });
        ((error as { stored: unknown }).stored === false ? rejected : unknown).push(data);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return {
    acknowledged,
    unknown,
    rejected,
    async stop() {
      isRunning = false;
      await finished;
    },
  };
}

/** Everything acknowledged was delivered once and in order, and nothing else but what is unknown. */
function assertDelivered(client: HubClient, { acknowledged, unknown, rejected }: ReturnType<typeof publishing>): void {
  const delivered = client.data;
  expect(new Set(delivered).size).toBe(delivered.length);
  expect(delivered.filter((data) => !unknown.includes(data))).toEqual(acknowledged);
  expect(delivered.toSorted((a, b) => Number(a) - Number(b))).toEqual(delivered);
  expect(delivered.filter((data) => rejected.includes(data))).toEqual([]);
  expect([client.ended, client.control("gap"), client.control("reset")]).toEqual([false, [], []]);
}

describe("nothing acknowledged is lost or delivered twice, and connections stay open", () => {
  const faults: Record<string, (bench: PostgresBench) => Promise<void>> = {
    "kill -9 of the server": async ({ server }) => {
      await server.kill();
      await server.restart();
    },
    "a restart of the server": async ({ server }) => {
      await server.stop("SIGINT");
      await server.restart();
    },
    "all connections terminated by an administrator": async ({ run }) => {
      await run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
      );
    },
  };
  test.each(Object.entries(faults))("%s", async (_, inflict) => {
    const { publisher, client, errors } = await setUp();
    const run = publishing(publisher);
    for (let round = 0; round < 3; round++) {
      const before = run.acknowledged.length;
      await vi.waitFor(() => expect(run.acknowledged.length).toBeGreaterThan(before + 20), { timeout: 15_000 });
      await inflict({ server: bench.server, run: (sql: string) => bench.run(sql) } as PostgresBench);
    }
    const before = run.acknowledged.length;
    await vi.waitFor(() => expect(run.acknowledged.length).toBeGreaterThan(before + 20), { timeout: 15_000 });
    await run.stop();
    const last = run.acknowledged.at(-1);
    await vi.waitFor(() => expect(client.data.at(-1)).toBe(last), { timeout: 15_000 });
    assertDelivered(client, run);
    errors();
  });

  test("a network that cuts connections", async () => {
    const proxy = await bench.proxy();
    const { publisher, client, errors } = await setUp(proxy.port);
    const run = publishing(publisher);
    for (let round = 0; round < 10; round++) {
      const before = run.acknowledged.length;
      await vi.waitFor(() => expect(run.acknowledged.length).toBeGreaterThan(before + 3), { timeout: 15_000 });
      proxy.cut();
    }
    await run.stop();
    const last = run.acknowledged.at(-1);
    await vi.waitFor(() => expect(client.data.at(-1)).toBe(last), { timeout: 15_000 });
    assertDelivered(client, run);
    expect(run.unknown).toEqual([]);
    errors();
  });

  test("a server that is paused for a while", async () => {
    const { publisher, client, errors } = await setUp(bench.server.port, { timeout: "5s" });
    const run = publishing(publisher);
    await vi.waitFor(() => expect(run.acknowledged.length).toBeGreaterThan(20), { timeout: 15_000 });
    // Its children, which serve the connections, are processes of their own.
    const rows = (await bench.run("SELECT pid FROM pg_stat_activity")) as { pid: number }[];
    const signal = (name: NodeJS.Signals) => {
      for (const { pid } of rows) {
        try {
          process.kill(pid, name);
        } catch {
          // The one that was asked has ended.
        }
      }
    };
    bench.server.pause();
    signal("SIGSTOP");
    const paused = run.acknowledged.length;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(run.acknowledged.length).toBeLessThanOrEqual(paused + 1);
    signal("SIGCONT");
    bench.server.resume();
    const before = run.acknowledged.length;
    await vi.waitFor(() => expect(run.acknowledged.length).toBeGreaterThan(before + 20), { timeout: 15_000 });
    await run.stop();
    await vi.waitFor(() => expect(client.data.at(-1)).toBe(run.acknowledged.at(-1)), { timeout: 15_000 });
    assertDelivered(client, run);
    errors();
  });
});

test("an outage: publishers get an answer in time, keep-alives continue, new clients retry, and all continues", async () => {
  const proxy = await bench.proxy();
  const schema = bench.newSchema();
  const log = bench.open({ pool: bench.pool(proxy.port), schema, timeout: "1s" });
  const { hub, errors } = openHub({ log, keepAlive: 100, limits: { logTimeout: "1s" } });
  const client = await joined(hub, "a");
  await hub.ready();
  await hub.channel("a").dispatch("n", "1");
  proxy.refuse();
  const start = performance.now();
  const failure = () =>
    hub
      .channel("a")
      .dispatch("n", "2")
      .catch((error: unknown) => error);
  // The first one was sent on a connection that was cut.
  expect(await failure()).toMatchObject({ code: "ERR_SSE_LOG" });
  expect(await failure()).toMatchObject({ code: "ERR_SSE_LOG", stored: false });
  expect(performance.now() - start).toBeLessThan(5_000);
  const chunks = client.chunks.length;
  await vi.waitFor(() => expect(client.chunks.length).toBeGreaterThan(chunks + 2), { timeout: 5_000 });
  const early = await (await follow(hub, "a")).end();
  expect([early.status, early.types]).toEqual([200, ["sse:later"]]);
  await expect(hub.ready()).rejects.toThrow(/cannot be reached/);
  expect(hub.stats().outage).toMatchObject({ error: expect.stringMatching(/cannot be reached/) });
  // Another process publishes, which the server answers.
  const other = bench.open({ pool: bench.pool(), schema });
  await other.append([entry("a", "3")]);
  proxy.heal();
  await vi.waitFor(() => expect(client.data).toEqual(["1", "3"]), { timeout: 10_000 });
  await vi.waitFor(() => expect(hub.stats().outage).toBeNull(), { timeout: 10_000 });
  await hub.ready();
  expect(client.ended).toBe(false);
  expect(new Set(errors.splice(0).map(([stage]) => stage))).toEqual(new Set(["tail", "replay"]));
});

describe("the newest events are lost", () => {
  test.each(["standby", "backup"] as const)(
    "a %s takes the place of the server: clients are told, publishers continue, and positions that hold are kept",
    async (kind) => {
      const { publisher, hub, client, errors, log } = await setUp();
      for (const i of range(1, 3)) await publisher.channel("a").dispatch("n", `${i}`);
      await client.until(() => client.data.length === 3);
      const held = client.lastEventId;
      const restore = await copyData(bench.server, kind);
      for (const i of range(4, 6)) await publisher.channel("a").dispatch("n", `${i}`);
      await client.until(() => client.data.length === 6);
      await restore();
      await vi.waitFor(async () => expect((await log.head()).top).toBe(3), { timeout: 15_000 });
      await publisher.channel("a").dispatch("n", "4 again");
      // Its position is lost: it reconnects, and is told so.
      await client.end();
      expect(client.data).toEqual(["1", "2", "3", "4", "5", "6"]);
      const back = await client.reconnect();
      await back.until(() => back.control("reset").length === 1);
      expect(back.data).toEqual([]);

      const same = await follow(hub, "a", { lastEventId: held });
      await same.until(() => same.data.length === 1);
      expect([same.data, same.control("reset")]).toEqual([["4 again"], []]);
      await publisher.channel("a").dispatch("n", "5 again");
      await back.until(() => back.data.length === 1);
      expect(back.data).toEqual(["5 again"]);
      errors();
    },
  );
});

test("notifications that stop arriving are noticed, and the log is polled", async () => {
  const [proxy, schema] = [await bench.proxy(), bench.newSchema()];
  // As through a pooler: LISTEN succeeds, and nothing arrives.
  const silent = bench.open({ pool: bench.pool(), listen: bench.pool(proxy.port), schema, poll: "20ms" });
  const other = bench.open({ pool: bench.pool(), schema });
  await other.append([entry("a", "1")]);
  const arrived: string[] = [];
  const tail = silent.tail(
    await at(silent, 1),
    ({ entries }) => arrived.push(...entries.map(({ data }) => data)),
    () => {},
  );
  await other.append([entry("a", "2")]);
  await vi.waitFor(() => expect(arrived).toEqual(["2"]));
  proxy.swallow("answers");
  for (const i of range(3, 6)) {
    await other.append([entry("a", `${i}`)]);
    await vi.waitFor(() => expect(arrived.at(-1)).toBe(`${i}`), { timeout: 1_500 });
  }
  tail.close();
  expect((await read(silent, 0, 10)).entries).toHaveLength(6);
});
