/** The proxy that injects faults of a network: each fault is seen by a client as the network would show it. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { eventually, within } from "../support/deadline.ts";
import { FaultProxy } from "../support/stores/fault-proxy.ts";
import { redisCommand, startRedis } from "../support/stores/redis-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

async function setUp(): Promise<{ redis: StoreServer; proxy: FaultProxy } & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedis());
  const proxy = stack.use(await FaultProxy.start(redis.port));
  return { redis, proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** `once` would reject with the error that comes before. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

async function ask(socket: Socket, command: string): Promise<string> {
  socket.write(`${command}\r\n`);
  const [answer] = await within(5_000, `an answer to ${command}`, once(socket, "data"));
  return answer as string;
}

test("cut() resets connections, and accepts new ones", async () => {
  await using context = await setUp();
  const socket = await open(context.proxy.port);
  expect(await ask(socket, "PING")).toBe("+PONG\r\n");
  context.proxy.cut();
  await within(5_000, "the connection closes", closeOf(socket));
  expect(await redisCommand(context.proxy, "PING")).toBe("+PONG");
});

test("refuse() resets new connections until heal()", async () => {
  await using context = await setUp();
  context.proxy.refuse();
  const socket = connect(context.proxy.port, "127.0.0.1").on("error", () => {});
  await within(5_000, "the connection closes", closeOf(socket));
  context.proxy.heal();
  expect(await redisCommand(context.proxy, "PING")).toBe("+PONG");
});

test("swallow('answers') lets the server do what it is told, and loses the answer", async () => {
  await using context = await setUp();
  const socket = await open(context.proxy.port);
  context.proxy.swallow("answers");
  socket.write("SET k v\r\n");
  while ((await redisCommand(context.redis, "EXISTS k")) !== ":1");
  expect(socket.bytesRead).toBe(0);
  const closed = closeOf(socket);
  context.proxy.heal();
  await within(5_000, "the connection closes", closed);
});

test("halfClose() ends the answers, and delay() makes them late", async () => {
  await using context = await setUp();
  const socket = await open(context.proxy.port);
  context.proxy.delay(30);
  const started = performance.now();
  expect(await ask(socket, "PING")).toBe("+PONG\r\n");
  expect(performance.now() - started).toBeGreaterThan(55);
  context.proxy.halfClose();
  await within(5_000, "the end", closeOf(socket));
});

test("a server that is paused answers after it continues, and one that is killed starts again on its data", async () => {
  await using redis = await startRedis({ appendonly: "yes" });
  const socket = await open(redis.port);
  expect(await ask(socket, "SET k v")).toBe("+OK\r\n");
  redis.pause();
  const answer = ask(socket, "GET k");
  redis.resume();
  expect(await answer).toBe("$1\r\nv\r\n");
  await redis.kill();
  await redis.restart();
  expect(await redisCommand(redis, "EXISTS k")).toBe(":1");
});

test("`streams` counts the connections on which a client has asked for an event stream", async () => {
  await using context = await setUp();
  const idle = await open(context.proxy.port);
  const socket = await open(context.proxy.port);
  expect(await ask(idle, "PING")).toBe("+PONG\r\n");
  expect(await ask(socket, "PING")).toBe("+PONG\r\n");
  await ask(socket, 'ECHO "accept: text/event-stream"');
  expect(context.proxy.streams).toBe(1);
  const closed = closeOf(socket);
  socket.destroy();
  await within(5_000, "the connection closes", closed);
  await eventually(
    "the proxy has seen the end",
    async () => context.proxy.streams,
    (streams) => streams === 0,
  );
  idle.destroy();
});
