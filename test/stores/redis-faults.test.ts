/** Faults of a real Redis server and of the network: what is acknowledged stays, and everything else is declared. */
import { describe, expect, test } from "vitest";
import type { Hub } from "../../src/index.ts";
import type { CompleteLog } from "../../src/log/complete.ts";
import type { LogError } from "../../src/log/index.ts";
import { at, dataOf, entry, range, read, readOn } from "../../src/testing/log/ask.ts";
import { TailRecorder } from "../../src/testing/log/scenario.ts";
import { expectConsole } from "../support/console.ts";
import { eventually } from "../support/deadline.ts";
import { follow, type HubClient, openHub } from "../support/hub.ts";
import { runQuietly } from "../support/run.ts";
import { FaultProxy } from "../support/stores/fault-proxy.ts";
import { ioredisClient, redisClients } from "../support/stores/redis-clients.ts";
import { connect, openRedisLog, track } from "../support/stores/redis-log.ts";
import { redisCommand, startRedis } from "../support/stores/redis-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

async function tailOf(log: CompleteLog, offset = 0): Promise<TailRecorder> {
  return new TailRecorder(log, await at(log, offset));
}

function append(log: CompleteLog, ...data: (string | number)[]) {
  return log.append(data.map((each) => entry("a", `${each}`)));
}

/** The offset of the newest entry that a server has: a block of the stream has several. */
async function topOf(server: StoreServer): Promise<number> {
  return Number(await redisCommand(server, "HGET {events}:head top"));
}

async function failureOf(work: Promise<unknown>): Promise<LogError> {
  return work.then(
    () => Promise.reject(new Error("It did not fail")),
    (error) => error,
  );
}

/** Reconnects as often as the hub asks for it, because the log did not answer. */
async function reconnect(hub: Hub, lastEventId: string): Promise<HubClient> {
  for (;;) {
    const client = await follow(hub, "news", { lastEventId });
    const isServed = client
      .until(() => client.parser.events.length > 0)
      .then(
        () => true,
        () => false,
      );
    if (await isServed) return client;
  }
}

async function endsWith(tail: TailRecorder, data: string): Promise<void> {
  await eventually(
    `the tail delivers ${data}`,
    async () => tail.entries.at(-1)?.data,
    (last) => last === data,
  );
}

/** A log with three entries, of whose keys an operator has deleted one. */
async function withoutKey(name: string) {
  const redis = track(await startRedis());
  const log = await openRedisLog(redis.port);
  await append(log, 1, 2, 3);
  const { epoch } = await log.head();
  await redisCommand(redis, `DEL {events}:${name}`);
  return { log, epoch };
}

describe("the store", () => {
  test("FLUSHALL begins a new epoch, and tails continue with its first entry", async () => {
    const redis = track(await startRedis());
    const log = await openRedisLog(redis.port);
    const tail = await tailOf(log);
    await append(log, 1, 2, 3);
    await tail.count(3);
    const { epoch } = await log.head();
    await redisCommand(redis, "FLUSHALL");
    await append(log, "new");
    await endsWith(tail, "new");
    const head = await log.head();
    expect([head.top, head.epoch === epoch]).toEqual([1, false]);
    expect(tail.batches.at(-1)?.epoch).toBe(head.epoch);
    expect(
      (await log.locate([{ cursor: { epoch, offset: 2, witness: 7 }, selection: { channels: [], prefixes: [] } }]))
        .answers[0]?.verification,
    ).toBe("other");
  });

  test.each(["head", "entries", "trimmed", "newest"])(
    "a lost key (%s) is a lost log, not one with a hole",
    async (name) => {
      const { log, epoch } = await withoutKey(name);
      const head = await log.head();
      expect([head.top, head.epoch === epoch]).toEqual([0, false]);
      expect((await append(log, "new"))[0]?.offset).toBe(1);
    },
  );

  test.each(["trimmed", "newest", "ids"])(
    "a lost key (%s) that plain appends do not use is a lost log to a process that only publishes",
    async (name) => {
      const { log, epoch } = await withoutKey(name);
      // Retention notices it, a moment after an append.
      const appended = await eventually(
        "an append begins a new epoch",
        async () => (await append(log, "new"))[0],
        (found) => found !== undefined && found.epoch !== epoch,
      );
      expect(appended?.offset).toBe(1);
    },
  );

  test("kill -9 with the append-only file loses nothing that was acknowledged", async () => {
    const redis = track(await startRedis({ appendonly: "yes" }));
    const log = await openRedisLog(redis.port);
    const tail = await tailOf(log);
    await append(log, 1, 2, 3);
    const before = await log.head();
    await redis.kill();
    const pending = append(log, 4);
    await redis.restart();
    await pending;
    const { entries } = await read(log, 0, 10);
    expect([dataOf(entries), (await log.head()).epoch]).toEqual([["1", "2", "3", "4"], before.epoch]);
    await endsWith(tail, "4");
    expect(tail.offsets).toEqual([1, 2, 3, 4]);
  });

  test("kill -9 without it loses everything, which is a new epoch", async () => {
    const redis = track(await startRedis());
    const log = await openRedisLog(redis.port);
    const tail = await tailOf(log);
    await append(log, 1, 2, 3);
    await tail.count(3);
    await redis.kill();
    await redis.restart();
    await append(log, "new");
    await endsWith(tail, "new");
    expect(tail.offsets).toEqual([1, 2, 3, 1]);
  });

  test("a full memory rejects publishers at once, and stores nothing of them", async () => {
    const redis = track(await startRedis({ maxmemory: "8mb", "maxmemory-policy": "noeviction" }));
    const log = await openRedisLog(redis.port);
    let stored = 0;
    let failure: LogError | undefined;
    for (let i = 0; i < 1_000 && failure === undefined; i++) {
      await append(log, "x".repeat(100_000)).then(
        () => stored++,
        (error) => (failure = error),
      );
    }
    expect([failure?.code, failure?.stored]).toEqual(["ERR_SSE_LOG", false]);
    expect(failure?.message).toMatch(/its memory is full: raise maxmemory/);
    // Readers are still served.
    expect(await readOn(log, 0, 1_000)).toHaveLength(stored);
    expect((await log.head()).top).toBe(stored);
    await redisCommand(redis, "CONFIG SET maxmemory 64mb");
    expect((await append(log, "more"))[0]?.offset).toBe(stored + 1);
  });

  test("a full disk rejects publishers, keeps what was accepted, and is over when there is room again", async () => {
    const redis = track(await startRedis({ appendonly: "yes", appendfsync: "everysec" }, "redis-server", 1024 ** 2));
    const log = await openRedisLog(redis.port);
    let stored = 0;
    let failure: LogError | undefined;
    for (let i = 0; i < 1_000 && failure === undefined; i++) {
      await append(log, "x".repeat(50_000)).then(
        () => stored++,
        (error) => (failure = error),
      );
    }
    expect([failure?.code, failure?.stored]).toEqual(["ERR_SSE_LOG", false]);
    expect(failure?.message).toMatch(/cannot write its data to the disk, which may be full/);
    // Readers are still served.
    expect(await readOn(log, 0, 1_000)).toHaveLength(stored);
    const pid = /process_id:(\d+)/.exec(await redisCommand(redis, "INFO server"))?.[1] as string;
    await runQuietly("prlimit", ["--pid", pid, "--fsize=unlimited"]);
    const again = () => append(log, "more").catch(() => []);
    const [more] = await eventually("it stores again", again, ({ length }) => length > 0);
    expect(more?.offset).toBe(stored + 1);
    // Everything that was accepted has reached the disk by then.
    await redis.stop();
    await redis.restart();
    expect((await eventually("it answers", () => log.head().catch(() => null), Boolean))?.top).toBe(stored + 1);
  });

  test("a dump that fails rejects publishers (stop-writes-on-bgsave-error), until one succeeds again", async () => {
    // With a rule for dumps that never applies: Redis refuses writes only where dumps are wanted.
    const redis = track(await startRedis({ save: "3600 1000000", rdbcompression: "no" }, "redis-server", 64 * 1024));
    const log = await openRedisLog(redis.port);
    await append(log, "x".repeat(200_000));
    await redisCommand(redis, "BGSAVE");
    const failure = await eventually(
      "the dump has failed",
      () => failureOf(append(log, "more")).catch(() => null),
      Boolean,
    );
    expect([failure?.code, failure?.stored]).toEqual(["ERR_SSE_LOG", false]);
    expect(failure?.message).toMatch(/MISCONF/);
    // Readers are still served, and so are clients that come back.
    const stored = await readOn(log, 0, 1_000);
    expect(stored.length).toBeGreaterThan(0);
    const selection = { channels: ["a"], prefixes: [] };
    expect((await log.locate([{ cursor: await at(log, 1), selection }])).answers[0]?.verification).toBe("same");
    const pid = /process_id:(\d+)/.exec(await redisCommand(redis, "INFO server"))?.[1] as string;
    await runQuietly("prlimit", ["--pid", pid, "--fsize=unlimited"]);
    await redisCommand(redis, "BGSAVE");
    const again = () => append(log, "again").catch(() => []);
    const [appended] = await eventually("it stores again", again, ({ length }) => length > 0);
    expect(appended?.offset).toBe(stored.length + 1);
  });

  test("the clock of the server is set back: entries keep their order, and none expires early", async () => {
    const redis = track(await startRedis());
    const log = await openRedisLog(redis.port, { maxAge: "1h" });
    await log.head();
    // As if the log had been used two hours later than it is now.
    const later = Date.now() + 2 * 3_600_000;
    await redisCommand(redis, `HSET {events}:head time ${later}`);
    const once = entry("a", "1", { idempotencyKey: "once" });
    await log.append([once]);
    for (const data of ["2", "3"]) await log.append([entry("a", data)]);
    expect((await log.append([once]))[0]).toMatchObject({ offset: 1, duplicate: true });
    const entries = await readOn(log, 0, 10);
    expect([dataOf(entries), entries.map(({ time }) => time)]).toEqual([
      ["1", "2", "3"],
      [later, later, later],
    ]);
    expect((await log.head()).floor.offset).toBe(0);
  });

  test("an evicting maxmemory-policy is reported when the log is first used", async () => {
    const redis = track(await startRedis({ maxmemory: "100mb", "maxmemory-policy": "allkeys-lru" }));
    const log = await openRedisLog(redis.port, { key: "evictable" });
    expectConsole(/may evict the log at "evictable", because its maxmemory-policy is allkeys-lru/);
    await log.head();
  });

  test("a paused server delays publishers, and nothing is stored twice", async () => {
    const redis = track(await startRedis());
    const log = await openRedisLog(redis.port, { appendTimeout: "20s" });
    const tail = await tailOf(log);
    await append(log, 1);
    redis.pause();
    const pending = append(log, 2);
    // Longer than one call waits for its reply: it is sent again while the first one is still on its way.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    redis.resume();
    await pending;
    await append(log, 3);
    await endsWith(tail, "3");
    expect([tail.offsets, dataOf(tail.entries)]).toEqual([
      [1, 2, 3],
      ["1", "2", "3"],
    ]);
  });
});

describe.each(Object.entries(redisClients))("the network, with %s", (_, open) => {
  test("a connection that was cut is replaced, and tails miss nothing", async () => {
    const redis = track(await startRedis());
    const proxy = track(await FaultProxy.start(redis.port));
    const [log, other] = [await openRedisLog(proxy.port, {}, open), await openRedisLog(redis.port, {}, open)];
    const tail = await tailOf(log);
    for (const round of range(1, 3)) {
      await append(other, round);
      await endsWith(tail, `${round}`);
      proxy.cut();
    }
    await append(log, 4);
    await endsWith(tail, "4");
    expect(tail.offsets).toEqual([1, 2, 3, 4]);
  });

  test("answers that are lost, and a server that is out of reach, store nothing twice", async () => {
    const redis = track(await startRedis());
    const proxy = track(await FaultProxy.start(redis.port));
    const log = await openRedisLog(proxy.port, { appendTimeout: "10s" }, open);
    await append(log, 1);
    proxy.swallow("answers");
    const pending = Promise.all([append(log, 2), append(log, 3)]);
    await eventually(
      "they are stored",
      () => topOf(redis),
      (top) => top === 3,
    );
    proxy.heal();
    const placed = (await pending).flat();
    expect(placed.map(({ offset, duplicate }) => [offset, duplicate])).toEqual([
      [2, undefined],
      [3, undefined],
    ]);
    // Publishers get the witnesses that the first attempt has stored.
    expect(await log.witnesses([2, 3])).toEqual(placed.map(({ witness }) => witness));
    expect(dataOf((await read(log, 0, 10)).entries)).toEqual(["1", "2", "3"]);
  });

  test("a publisher learns within its time that nothing is known", async () => {
    const redis = track(await startRedis());
    const proxy = track(await FaultProxy.start(redis.port));
    const log = await openRedisLog(proxy.port, { appendTimeout: "1s" }, open);
    await append(log, 1);
    proxy.swallow();
    const started = performance.now();
    const failure = await failureOf(append(log, 2));
    expect([failure.code, failure.stored]).toEqual(["ERR_SSE_LOG", "unknown"]);
    expect(performance.now() - started).toBeLessThan(2_500);
    proxy.heal();
    await eventually(
      "the log is back",
      () =>
        append(log, 3).then(
          () => true,
          () => false,
        ),
      Boolean,
    );
  });

  test("connections that the server half-closes are replaced", async () => {
    const redis = track(await startRedis());
    const proxy = track(await FaultProxy.start(redis.port));
    const log = await openRedisLog(proxy.port, {}, open);
    const tail = await tailOf(log);
    await append(log, 1);
    await endsWith(tail, "1");
    proxy.halfClose();
    await append(log, 2);
    await endsWith(tail, "2");
    expect(tail.offsets).toEqual([1, 2]);
  });
});

describe("replicas", () => {
  async function pair(options = {}) {
    const primary = track(await startRedis(options));
    const link = track(await FaultProxy.start(primary.port));
    const replica = track(await startRedis({ ...options, replicaof: `127.0.0.1 ${link.port}` }));
    const isLinked = async () => (await infoOf(replica.port)).includes("master_link_status:up");
    await eventually("the replica follows", isLinked, Boolean);
    return { primary, replica, link };
  }

  async function infoOf(port: number): Promise<string> {
    return String(await (await connect(port)).send("INFO", "replication"));
  }

  test("a promoted replica without the newest entries: tails get those in their place", async () => {
    const { primary, replica, link } = await pair();
    // Clients reach the primary, whichever it is, by one address.
    const address = track(await FaultProxy.start(primary.port));
    const log = await openRedisLog(address.port);
    const tail = await tailOf(log);
    await append(log, 1, 2, 3);
    await eventually(
      "it is replicated",
      () => topOf(replica),
      (top) => top === 3,
    );
    const { epoch } = await log.head();
    link.swallow("answers");
    const [, lost] = await append(log, "4 lost", "5 lost");
    await endsWith(tail, "5 lost");
    await primary.kill();
    await redisCommand(replica, "REPLICAOF NO ONE");
    address.retarget(replica.port);
    await append(log, "4 again", "5 again", "6");
    await endsWith(tail, "6");
    expect((await log.head()).epoch).toBe(epoch);
    expect(dataOf((await read(log, 0, 10)).entries)).toEqual(["1", "2", "3", "4 again", "5 again", "6"]);
    const rest = tail.entries.slice(5);
    expect(rest[0]?.offset).toBeLessThanOrEqual(5);
    expect(dataOf(rest).at(-1)).toBe("6");
    const cursor = lost ?? null;
    const { answers } = await log.locate([{ cursor, selection: { channels: ["a"], prefixes: [] } }]);
    expect(answers[0]?.verification).toBe("other");
  });

  test("clients of a hub are reset by a failover that lost what they had, and continue without a gap or a repetition", async () => {
    const { primary, replica, link } = await pair();
    const address = track(await FaultProxy.start(primary.port));
    const [a, b] = [await openRedisLog(address.port), await openRedisLog(address.port, {}, ioredisClient)];
    const [one, two] = [openHub({ log: a }), openHub({ log: b })];
    const news = one.hub.channel("news");
    const ahead = await follow(one.hub, "news");
    const other = await follow(two.hub, "news");
    for (const n of [1, 2]) await news.dispatch("n", n);
    for (const client of [ahead, other]) await client.until(() => client.data.length === 2);
    // This client has left before anything was lost.
    const away = (await other.leave()).lastEventId;
    await eventually(
      "it is replicated",
      () => topOf(replica),
      (top) => top === 2,
    );
    link.swallow("answers");
    await news.dispatch("n", "3 lost");
    await ahead.until(() => ahead.data.length === 3);
    await primary.kill();
    await redisCommand(replica, "REPLICAOF NO ONE");
    address.retarget(replica.port);
    await two.hub.channel("news").dispatch("n", "3 again");
    // The stream ends, and the client reconnects as a browser does.
    await ahead.end();
    expect(ahead.data).toEqual(["1", "2", "3 lost"]);
    const again = await reconnect(two.hub, ahead.lastEventId);
    await again.until(() => again.control("reset").length === 1);
    expect(again.control("reset")).toEqual([{ reason: "diverged" }]);
    const back = await reconnect(one.hub, away);
    await back.until(() => back.data.length === 1);
    expect([back.types, back.data]).toEqual([["n"], ["3 again"]]);
    await news.dispatch("n", 4);
    for (const client of [again, back]) await client.until(() => client.data.at(-1) === "4");
    one.errors.length = two.errors.length = 0;
  });

  test("durability replicas: an accepted event is on the replica, and none is accepted without one", async () => {
    const { primary, replica } = await pair();
    const log = await openRedisLog(primary.port, { durability: "replicas", appendTimeout: "3s" });
    await append(log, 1);
    expect(await topOf(replica)).toBe(1);
    replica.pause();
    const failure = await failureOf(append(log, 2));
    expect([failure.stored, failure.message]).toEqual(["unknown", expect.stringMatching(/only 0 of 1 replicas/)]);
    replica.resume();
    // Stored once, although it was sent several times.
    await append(log, 3);
    expect(dataOf((await read(log, 0, 10)).entries)).toEqual(["1", "2", "3"]);
    expect(await topOf(replica)).toBe(3);
  });

  test("a former primary that is a replica now refuses every question", async () => {
    const { primary, replica } = await pair();
    const log = await openRedisLog(primary.port);
    await append(log, 1);
    await redisCommand(primary, `REPLICAOF 127.0.0.1 ${replica.port}`);
    const failure = await failureOf(log.head());
    expect([failure.code, failure.message]).toEqual(["ERR_SSE_LOG", expect.stringMatching(/READONLY/)]);
  });
});
