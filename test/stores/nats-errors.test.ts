import { jetstream } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { type NatsConnectionLike, type NatsLogOptions, natsLog } from "../../src/logs/nats/index.ts";
import { entry } from "../../src/testing/log/ask.ts";
import { connectNats, type NatsOptions, requestNats, startNats } from "../support/stores/nats-server.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: NatsOptions = {}, user: object = {}): Promise<NatsConnection> {
  const server = await startNats(options);
  cleanups.push(() => server[Symbol.asyncDispose]());
  const connection = await connectNats(server, user);
  cleanups.push(() => connection.close());
  return connection;
}

function open(connection: NatsConnectionLike, options: Partial<NatsLogOptions> = {}) {
  const log = natsLog({ connection, stream: "events", ...options });
  cleanups.push(() => log.close());
  return log;
}

/** The names of the streams that there are: nothing was written. */
async function streams(connection: NatsConnection): Promise<string[]> {
  return (await requestNats<{ streams: string[] | null }>(connection, "STREAM.NAMES")).streams ?? [];
}

test("another object than a connection is rejected, with a word about what it is", async () => {
  const connection = await start();
  const rejected = (value: unknown) => () => natsLog({ connection: value as NatsConnectionLike, stream: "events" });
  expect(rejected(undefined)).toThrow(
    "The option connection is undefined; pass the connection that connect() resolves with",
  );
  expect(rejected(jetstream(connection))).toThrow(
    /an instance of JetStreamClientImpl; pass the connection itself, from which/,
  );
  const connecting = connect({ servers: `127.0.0.1:${connection.getServer().split(":")[1]}` });
  expect(rejected(connecting)).toThrow(/an instance of Promise; await connect\(\) first/);
  await (await connecting).close();
  expect(rejected({ xAdd() {}, xRead() {} })).toThrow(/is an object; pass the connection that connect\(\) of @nats-io/);
});

test("names of streams, and other options, are checked", async () => {
  const connection = await start();
  const withOptions = (options: object) => () => natsLog({ connection, stream: "events", ...options });
  for (const stream of [undefined, "", "a.b", "a b", "a*", "a>", 7]) {
    expect(withOptions({ stream })).toThrow(/The option stream is .*; it takes the name of a stream/);
  }
  expect(withOptions({ replicas: 6 })).toThrow("The option replicas is 6; it takes 1 to 5");
  expect(withOptions({ domain: "a b" })).toThrow(/The option domain is "a b"/);
  expect(withOptions({ key: "events" })).toThrow(/The option key of natsLog\(\) is unknown/);
  expect(withOptions({ witnessAge: "1d" })).toThrow(/The option witnessAge of natsLog\(\) is unknown/);
  expect(() => natsLog(undefined as never)).toThrow(/natsLog\(\)/);
  expect(await streams(connection)).toEqual([]);
});

test("a server that is too old is rejected, with the reason", async () => {
  const connection = await start();
  const old = Object.create(connection, { info: { value: { ...connection.info, version: "2.11.9" } } });
  expect(() => natsLog({ connection: old, stream: "events" })).toThrow(
    "The server is nats-server 2.11.9; the log needs 2.12 or later, since older ones have no atomic batches",
  );
  for (const version of ["2.12.0", "2.15.1", "3.0.0"]) {
    open(Object.create(connection, { info: { value: { ...connection.info, version } } }));
  }
});

test("a server without JetStream is rejected", async () => {
  const connection = await start({ hasJetStream: false });
  // The server says so only when JetStream is there; the first call finds out.
  await expect(open(connection).head()).rejects.toThrow(/JetStream; enable it for the server and for this account/);
});

test("a user without a permission is rejected, with the subject, before anything is written", async () => {
  const deny = (subject: string) => ({
    server: `authorization { users = [ { user: app, password: secret, permissions: { publish: { allow: ">", deny: "${subject}" } } } ] }`,
  });
  for (const subject of [
    "$JS.API.STREAM.INFO.>",
    "$JS.API.STREAM.PURGE.>",
    "$JS.API.DIRECT.GET.events-values",
    "sourcecast.events.>",
  ]) {
    const connection = await start(deny(subject), { user: "app", pass: "secret" });
    const log = open(connection);
    const message = new RegExp(`no permission for the subject "${subject.replace(/>$/, "").replace(/[$.]/g, "\\$&")}`);
    await expect(log.append([entry("a")])).rejects.toThrow(message);
    await expect(log.head()).rejects.toMatchObject({ code: "ERR_SSE_LOG", stored: false });
  }
});

test.each<[string, object, RegExp]>([
  ["another program", { subjects: ["orders.>"] }, /it was not created by this log; pass another name as stream/],
  ["a later version", { metadata: { sourcecast: "2" } }, /its format is "2", and this version reads "1"/],
])("a stream of %s is rejected, and left as it is", async (_, config, message) => {
  const connection = await start();
  await requestNats(connection, "STREAM.CREATE.events", {
    name: "events",
    subjects: ["x.>"],
    storage: "file",
    ...config,
  });
  const log = open(connection);
  await expect(log.append([entry("a")])).rejects.toThrow(message);
  const { config: found, state } = await requestNats<{ config: object; state: object }>(
    connection,
    "STREAM.INFO.events",
  );
  expect([found, state]).toMatchObject([config, { messages: 0 }]);
});

test.each<[string, object, RegExp]>([
  ["max_msgs", { max_msgs: 10 }, /its max_msgs is 10, and the log needs -1/],
  ["max_age", { max_age: 600_000_000_000 }, /its max_age is 600000000000, and the log needs 0/],
  ["discard", { discard: "old" }, /its discard is "old", and the log needs "new"/],
  ["max_msgs_per_subject", { max_msgs_per_subject: 1 }, /its max_msgs_per_subject is 1/],
  ["allow_direct", { allow_direct: false }, /its allow_direct is false, and the log needs true/],
])("a stream with another %s is rejected: it would remove entries, or not answer", async (_, changes, message) => {
  const connection = await start();
  await open(connection).append([entry("a")]);
  const { config } = await requestNats<{ config: object }>(connection, "STREAM.INFO.events");
  await requestNats(connection, "STREAM.UPDATE.events", { ...config, ...changes });
  await expect(open(connection).head()).rejects.toThrow(message);
});

test("a stream from whose middle messages were deleted is rejected", async () => {
  const connection = await start();
  await open(connection).append([entry("a"), entry("a"), entry("a")]);
  const { config } = await requestNats<{ config: object }>(connection, "STREAM.INFO.events");
  await requestNats(connection, "STREAM.DELETE.events");
  await requestNats(connection, "STREAM.CREATE.events", { ...config, deny_delete: false });
  const { subjects } = config as { subjects: string[] };
  for (let i = 0; i < 3; i++) await connection.request(subjects[0]?.replace(">", "a.e") as string, `${i}`);
  await requestNats(connection, "STREAM.MSG.DELETE.events", { seq: 2 });
  await requestNats(connection, "STREAM.UPDATE.events", { ...config, deny_delete: true });
  await expect(open(connection).head()).rejects.toThrow(/1 messages were deleted from the middle of it/);
});

test("processes with other limits are rejected while some use the log, and change them afterwards", async () => {
  const connection = await start();
  const log = open(connection, { maxEvents: 100 });
  await log.append([entry("a")]);
  const { epoch, witness } = await log.head();
  log.tail(
    { epoch, offset: 0, witness },
    () => {},
    () => {},
  );
  await expect
    .poll(async () => (await requestNats<{ total: number }>(connection, "CONSUMER.NAMES.events")).total)
    .toBe(1);
  await expect(open(connection, { maxEvents: 200 }).head()).rejects.toThrow(
    /other processes use it with maxEvents=100 .*, and this one has maxEvents=200 .*; give all processes the same options/,
  );
  await log.close();
  await expect
    .poll(async () => (await requestNats<{ total: number }>(connection, "CONSUMER.NAMES.events")).total)
    .toBe(0);
  expect((await open(connection, { maxEvents: 200 }).head()).top).toBe(1);
  await open(connection, { maxEvents: 200 }).head();
});

test("data that the server does not take is rejected for its call alone", async () => {
  const connection = await start({ server: "max_payload: 64KB" });
  const log = open(connection);
  const results = await Promise.allSettled([
    log.append([entry("a", "1")]),
    log.append([entry("a", "small"), entry("a", "x".repeat(80_000))]),
    log.append([entry("x".repeat(4_000), "long name")]),
    log.append([entry("a", "2")]),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  const reasons = results.map((result) => (result.status === "rejected" ? result.reason : undefined));
  expect(reasons[1]).toMatchObject({ code: "ERR_SSE_LOG", stored: false });
  expect(String(reasons[1])).toMatch(/has 80000 characters, and the server's max_payload is 65536 bytes/);
  expect(String(reasons[2])).toMatch(/do not fit into a subject of NATS/);
  expect((await log.head()).top).toBe(2);
});

test("a connection that was closed cannot be used, and the error says how to keep it", async () => {
  const connection = await start();
  const log = open(connection);
  await log.append([entry("a")]);
  await connection.close();
  await expect(log.append([entry("a")])).rejects.toThrow(/The NATS connection is closed; .*maxReconnectAttempts: -1/);
  await expect(log.head()).rejects.toMatchObject({ code: "ERR_SSE_LOG", stored: false });
});
