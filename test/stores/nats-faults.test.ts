import type { NatsConnection } from "@nats-io/transport-node";
import { afterEach, describe, expect, test, vi } from "vitest";
import { LogError } from "../../src/index.ts";
import type { CompleteLog } from "../../src/log/complete.ts";
import type { LogEntry, Position } from "../../src/log/log.ts";
import { type NatsLogOptions, natsLog } from "../../src/logs/nats/index.ts";
import { at, dataOf, entry, offsetsOf, range, read, select, values } from "../../src/testing/log/ask.ts";
import { verification } from "../../src/testing/log/locate.ts";
import { FaultProxy } from "../support/stores/fault-proxy.ts";
import {
  connectNats,
  copyData,
  loseNewest,
  type NatsOptions,
  requestNats,
  startNats,
} from "../support/stores/nats-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server, a proxy in front of it, and a log on a connection through the proxy. */
async function start(options: NatsOptions = {}, log: Partial<NatsLogOptions> = {}) {
  const server = await startNats(options);
  cleanups.push(() => server[Symbol.asyncDispose]());
  const proxy = await FaultProxy.start(server.port);
  cleanups.push(() => proxy[Symbol.asyncDispose]());
  const connection = await connected(proxy);
  return { server, proxy, connection, log: open(connection, log) };
}

async function connected(place: { readonly port: number }): Promise<NatsConnection> {
  const connection = await connectNats(place);
  cleanups.push(() => connection.close());
  return connection;
}

function open(connection: NatsConnection, options: Partial<NatsLogOptions> = {}): CompleteLog {
  const log = natsLog({ connection, stream: "events", ...options });
  cleanups.push(() => log.close());
  return log;
}

/** Everything that a tail delivers. Failures of the store are reported to it, and not what the test is about. */
function follow(log: CompleteLog, after: Position): LogEntry[] {
  const entries: LogEntry[] = [];
  log.tail(
    after,
    (batch) => entries.push(...batch.entries),
    (error) => expect(error).toBeInstanceOf(LogError),
  );
  return entries;
}

/** Publishes until it is stopped, and resolves with the data of the events that were acknowledged. */
function publishing(log: CompleteLog): () => Promise<string[]> {
  let isRunning = true;
  const accepted: string[] = [];
  const run = async () => {
    for (let i = 0; isRunning; i++) {
      try {
        await log.append([entry("a", `${i}`, { idempotencyKey: `${i}` })]);
        accepted.push(`${i}`);
      } catch (error) {
        expect(error).toBeInstanceOf(LogError);
      }
    }
  };
  const running = run();
  return async () => {
    isRunning = false;
    await running;
    return accepted;
  };
}

async function everything(log: CompleteLog): Promise<string[]> {
  const { top } = await log.head();
  const found: string[] = [];
  for (let position = 0; position < top; ) {
    const page = await read(log, position, 1_000);
    found.push(...dataOf(page.entries));
    position = page.through;
  }
  return found;
}

const soon = { timeout: 10_000, interval: 20 };

describe("the server", () => {
  test.each([
    ["killed", (server: StoreServer) => server.kill()],
    ["stopped", (server: StoreServer) => server.stop()],
  ])("is %s and started again: what was acknowledged is there once, and tails continue", async (_, end) => {
    const { server, log, connection } = await start();
    const other = open(connection);
    const tail = follow(other, await at(log, 0));
    const stop = publishing(log);
    await vi.waitFor(() => expect(tail.length).toBeGreaterThan(50), soon);
    await end(server);
    await server.restart();
    const before = tail.length;
    await vi.waitFor(() => expect(tail.length).toBeGreaterThan(before + 50), soon);
    const accepted = await stop();
    const stored = await everything(log);
    expect(new Set(stored).size).toBe(stored.length);
    expect(accepted.filter((data) => !stored.includes(data))).toEqual([]);
    await vi.waitFor(() => expect(dataOf(tail)).toEqual(stored), soon);
    expect(offsetsOf(tail)).toEqual(range(1, stored.length));
  });

  test("is paused: publishers wait, and learn what became of their events", async () => {
    const { server, log } = await start();
    await log.append([entry("a", "before")]);
    server.pause();
    const append = log.append([entry("a", "during")]);
    const reading = read(log, 0, 10);
    await expect(reading).rejects.toThrow(/did not answer within 5000 ms/);
    await expect(reading).rejects.toMatchObject({ code: "ERR_SSE_LOG", stored: false });
    server.resume();
    await append;
    expect(await everything(log)).toEqual(["before", "during"]);
  });

  test("is gone: an append fails within its deadline, and says that nothing was stored", async () => {
    const { server, log } = await start({}, { appendTimeout: "500ms" });
    await log.append([entry("a")]);
    await server.kill();
    await vi.waitFor(async () => await expect(log.head()).rejects.toThrow(/connection to NATS/), soon);
    const started = performance.now();
    await expect(log.append([entry("a")])).rejects.toMatchObject({ code: "ERR_SSE_LOG", stored: false });
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test("loses its newest entries: cursors of lost entries are recognized, also when others take their places", async () => {
    const { server, log } = await start();
    const placed = await log.append(range(1, 20).map((i) => entry("a", `${i}`, i % 5 === 0 ? { key: `k${i}` } : {})));
    const tail = follow(log, placed[9] as Position);
    await vi.waitFor(() => expect(tail).toHaveLength(10), soon);
    await loseNewest(server, "events", 8);
    await vi.waitFor(async () => expect((await log.head()).top).toBe(12), soon);
    expect(await verification(log, placed[19] as Position)).toBe("other");
    expect(await verification(log, placed[11] as Position)).toBe("same");
    expect(offsetsOf([...(await values(log, select("a")))])).toEqual([5, 10]);
    await log.append(range(13, 24).map((i) => entry("a", `${i} again`)));
    expect(await verification(log, placed[19] as Position)).toBe("other");
    // The newest entry that is left, or the first in place of a lost one: not a later one, which would look like what follows.
    await vi.waitFor(() => expect(tail.at(-1)?.offset).toBe(24), soon);
    const back = tail[10] as LogEntry;
    expect(back.offset).toBeLessThanOrEqual(13);
    expect(dataOf(tail).slice(-12)).toEqual(range(13, 24).map((i) => `${i} again`));
  });

  test("loses its newest entries: values of the lost history do not come to life", async () => {
    const { server, log } = await start({}, { maxEvents: 4 });
    await log.append([entry("a", "first", { key: "k" }), ...range(2, 10).map(() => entry("noise"))]);
    await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(6), soon);
    const restore = await copyData(server);
    await log.append([entry("a", "lost", { key: "k" }), entry("b", "lost", { key: "k" })]);
    await log.append(range(13, 20).map(() => entry("noise")));
    await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(16), soon);
    expect(dataOf([...(await values(log, select("a", "b")))])).toEqual(["lost", "lost"]);
    // The values keep what the entries have lost: as if the stream of values had been synced a moment later.
    await restore(["events"]);
    await vi.waitFor(async () => expect((await log.head()).top).toBe(10), soon);
    expect(dataOf([...(await values(log, select("b")))])).toEqual([]);
    await log.append(range(11, 24).map(() => entry("noise")));
    await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(20), soon);
    expect(dataOf([...(await values(log, select("b")))])).toEqual([]);
  });

  test("has a full disk: events are rejected, and accepted again when there is room", async () => {
    const { log, connection } = await start({ jetStream: "max_file_store: 400KB" });
    const data = "x".repeat(20_000);
    const failure = await expectRejection(async () => {
      for (let i = 0; i < 40; i++) await log.append([entry("a", data)]);
    });
    expect(failure).toMatchObject({ code: "ERR_SSE_LOG", stored: false });
    expect(failure.message).toMatch(/NATS did not store the entries: /);
    const { top } = await log.head();
    expect(await everything(log)).toHaveLength(top);
    await requestNats(connection, "STREAM.PURGE.events", { seq: 10 });
    const [placed] = await log.append([entry("a", "fits")]);
    expect(placed?.offset).toBe(top + 1);
    // The positions that an operator has removed are declared, like those that retention removes.
    expect((await log.head()).floor.offset).toBe(10);
  });

  test("has a limit of bytes for the stream, set by an operator: events are rejected, and none is removed", async () => {
    const { log, connection } = await start();
    await log.append([entry("a")]);
    const { config } = await requestNats<{ config: object }>(connection, "STREAM.INFO.events");
    await requestNats(connection, "STREAM.UPDATE.events", { ...config, max_bytes: 50_000 });
    const failure = await expectRejection(async () => {
      for (let i = 0; i < 10; i++) await log.append([entry("a", "x".repeat(10_000))]);
    });
    expect(failure.message).toMatch(/maximum bytes exceeded/);
    expect((await log.head()).floor.offset).toBe(0);
  });
});

describe("the network", () => {
  test("cuts connections all the time: every event is stored once, in order, and delivered once", async () => {
    const { proxy, log, server } = await start();
    const other = open(await connected(server));
    const tail = follow(log, await at(log, 0));
    const stop = publishing(log);
    for (let cut = 0; cut < 8; cut++) {
      const { length } = tail;
      await vi.waitFor(() => expect(tail.length).toBeGreaterThan(length + 10), soon);
      proxy.cut();
    }
    const accepted = await stop();
    const stored = await everything(other);
    expect(new Set(stored).size).toBe(stored.length);
    expect(accepted.filter((data) => !stored.includes(data))).toEqual([]);
    await vi.waitFor(() => expect(dataOf(tail)).toEqual(stored), soon);
  });

  test("swallows answers: an append that is tried again is stored once, whatever it has", async () => {
    const { proxy, log } = await start();
    const origin = await at(log, 0);
    await log.append([entry("a", "before")]);
    proxy.swallow("answers");
    const appends = Promise.all([
      log.append([entry("a", "plain")]),
      log.append([entry("a", "two 1"), entry("b", "two 2")]),
      log.append([entry("a", "keyed", { idempotencyKey: "k" })]),
      log.append([entry("c", "conditional", { after: origin })]),
      log.append([
        entry("d", "both", { after: origin, idempotencyKey: "d" }),
        entry("a", "rest", { idempotencyKey: "r" }),
      ]),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    proxy.heal();
    const placed = (await appends).flat();
    const { entries } = await read(log, 0, 100);
    expect(dataOf(entries)).toEqual(["before", "plain", "two 1", "two 2", "keyed", "conditional", "both", "rest"]);
    const byOffset = new Map(entries.map(({ offset, witness }) => [offset, witness]));
    for (const { offset, witness } of placed) expect(witness).toBe(byOffset.get(offset));
    expect(placed.filter(({ duplicate }) => duplicate)).toEqual([]);
  });

  test("is slow: a burst is stored in order, and delivered in order", async () => {
    const { proxy, log } = await start();
    const tail = follow(log, await at(log, 0));
    proxy.delay(30);
    await Promise.all(range(1, 200).map((i) => log.append([entry(`c${i % 9}`, `${i}`)])));
    await vi.waitFor(() => expect(offsetsOf(tail)).toEqual(range(1, 200)), soon);
    expect(dataOf(tail)).toEqual(range(1, 200).map(String));
  });

  test("loses the consumer: the tail continues with another one", async () => {
    const { connection, log } = await start();
    const tail = follow(log, await at(log, 0));
    await log.append([entry("a", "1")]);
    await vi.waitFor(() => expect(tail).toHaveLength(1), soon);
    for (const round of range(2, 4)) {
      const { consumers } = await requestNats<{ consumers: string[] }>(connection, "CONSUMER.NAMES.events");
      for (const name of consumers) await requestNats(connection, `CONSUMER.DELETE.events.${name}`);
      await log.append([entry("a", `${round}`)]);
      await vi.waitFor(() => expect(offsetsOf(tail)).toEqual(range(1, round)), soon);
    }
  });
});

describe("the stream", () => {
  test("is deleted: the log begins again in a new epoch, and tails continue there", async () => {
    const { connection, log } = await start();
    const other = open(connection);
    const placed = await log.append(range(1, 5).map((i) => entry("a", `${i}`, { key: "k" })));
    const tail = follow(other, await at(log, 0));
    await vi.waitFor(() => expect(tail).toHaveLength(5), soon);
    await requestNats(connection, "STREAM.DELETE.events");
    const [again] = await log.append([entry("a", "again")]);
    expect(again?.offset).toBe(1);
    expect(again?.epoch).not.toBe(placed[0]?.epoch);
    await vi.waitFor(() => expect(tail.at(-1)?.data).toBe("again"), soon);
    expect(await verification(other, placed[4] as Position)).toBe("other");
    expect(await verification(other, again as Position)).toBe("same");
    expect(await values(other, select("a"))).toEqual([]);
  });

  test("is deleted and created by two processes at a time: both have the same log", async () => {
    const { connection, server, log } = await start();
    const other = open(await connected(server));
    await Promise.all([log.append([entry("a", "1")]), other.append([entry("a", "1")])]);
    for (const round of range(2, 12)) {
      await requestNats(connection, "STREAM.DELETE.events");
      await Promise.all([log.append([entry("a", `${round}`)]), other.append([entry("b", `${round}`)])]);
      expect(await log.head()).toEqual(await other.head());
      // A new stream may begin with the messages of the one before it, which are not part of the log.
      expect(dataOf((await read(log, 0, 10)).entries)).toEqual([`${round}`, `${round}`]);
    }
  });

  test("is purged: offsets continue, and the past is gone", async () => {
    const { connection, log } = await start();
    const tail = follow(log, await at(log, 0));
    const placed = await log.append(range(1, 5).map((i) => entry("a", `${i}`)));
    await vi.waitFor(() => expect(tail).toHaveLength(5), soon);
    await requestNats(connection, "STREAM.PURGE.events");
    await vi.waitFor(async () => expect((await log.head()).floor.offset).toBeGreaterThan(5), soon);
    // Nothing vouches for the position any longer, so the client is told that it may have missed something.
    expect(await verification(log, placed[4] as Position)).toBe("unknown");
    const [next] = await log.append([entry("a", "next")]);
    expect(next?.offset).toBeGreaterThan(6);
    await vi.waitFor(() => expect(tail.at(-1)?.data).toBe("next"), soon);
    expect(dataOf((await read(log, 0, 10)).entries)).toEqual(["next"]);
  });

  test("has an entry that something else has published", async () => {
    const { connection, log } = await start();
    const tail = follow(log, await at(log, 0));
    await log.append([entry("a", "1")]);
    const { config } = await requestNats<{ config: { subjects: string[] } }>(connection, "STREAM.INFO.events");
    const prefix = (config.subjects[0] as string).slice(0, -2);
    connection.publish(`${prefix}.a.e`, "from another program");
    await connection.flush();
    await log.append([entry("a", "3")]);
    await vi.waitFor(() => expect(offsetsOf(tail)).toEqual([1, 2, 3]), soon);
    expect(tail).toEqual((await read(log, 0, 10)).entries);
    expect(tail[1]).toMatchObject({ channel: "a", type: "message", data: "from another program" });
  });
});

async function expectRejection(work: () => Promise<void>): Promise<Error> {
  const failure = await work().then(
    () => undefined,
    (error: Error) => error,
  );
  if (failure === undefined) throw new Error("Nothing was rejected");
  return failure;
}
