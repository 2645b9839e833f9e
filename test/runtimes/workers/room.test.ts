/** A hub in a Durable Object: what is live, what comes after the object or its machine went away, and what it keeps awake. */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Http1Client } from "../../support/client.ts";
import { eventually } from "../../support/deadline.ts";
import type { RecordedEvent } from "../../support/recorder.ts";
import type { ServerProcess } from "../../support/server-process.ts";
import { temporaryFile } from "../../support/temporary.ts";
import { bundleWorker, startWorker } from "../../support/workers.ts";

interface State {
  instance: string;
  connections: number;
  lagging: number;
  timers: number;
}

const { path: folder, remove } = temporaryFile("worker");
const clients: Http1Client[] = [];
let server: ServerProcess;

beforeAll(async () => {
  await bundleWorker(join(import.meta.dirname, "fixtures/room.ts"), folder);
  server = await start();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.leave();
  await eventually("all have left", state, ({ connections }) => connections === 0);
});

afterAll(async () => {
  await server?.stop("SIGKILL");
  remove();
});

test("published events reach every client in order", async () => {
  const streams = await Promise.all([stream(), stream(), stream()]);
  await publish("1", "2", "3");
  await publish("4");
  for (const client of streams) expect(await dataOf(client, 4)).toEqual(["1", "2", "3", "4"]);
});

test("a client that comes back gets what it missed, and then what comes", async () => {
  const first = await stream();
  await publish("before");
  const { lastEventId } = await news(first);
  first.leave();
  await publish("missed 1", "missed 2");
  const second = await stream(lastEventId);
  expect(await dataOf(second, 2)).toEqual(["missed 1", "missed 2"]);
  await publish("live");
  expect(await dataOf(second, 1)).toEqual(["live"]);
});

test("an object that is evicted loses nothing, and its clients resume at the next one", async () => {
  const first = await stream();
  await publish("to the first");
  const { lastEventId } = await news(first);
  const { instance } = await state();
  await fetch(`${server.origin}/evict`).then((response) => expect(response.ok).toBe(false));
  await first.rest();
  await publish("while away");
  const second = await stream(lastEventId);
  expect((await state()).instance).not.toBe(instance);
  await publish("after it");
  expect(await allOf(second, 2)).toEqual(["news while away", "news after it"]);
  server.newOutput();
});

test("kill -9 of the runtime loses nothing that was acknowledged", async () => {
  const first = await stream();
  await publish("to the first");
  const { lastEventId } = await news(first);
  await publish("acknowledged");
  await server.stop("SIGKILL");
  server = await start();
  const second = await stream(lastEventId);
  await publish("after it");
  expect(await allOf(second, 2)).toEqual(["news acknowledged", "news after it"]);
});

test("each idle stream gets its own keep-alives", async () => {
  const streams = await Promise.all([stream(), stream()]);
  for (const client of streams) {
    const beats = (): number => client.body.toString().split("\n:\n").length - 1;
    await client.until(() => beats() >= 3);
  }
});

test("a client that reads slowly gets all of it, in order", async () => {
  const client = await stream();
  client.pause();
  const bursts = 12;
  for (let burst = 0; burst < bursts; burst++) expect((await fetch(`${server.origin}/burst`)).ok).toBe(true);
  await eventually("it lags", state, ({ lagging }) => lagging === 1);
  client.resume();
  const numbers = (await dataOf(client, bursts * 100)).map((data) => Number(data.split(" ", 1)));
  expect(numbers).toEqual(Array.from({ length: bursts * 100 }, (_, n) => n % 100));
  await eventually("it is live", state, ({ lagging }) => lagging === 0);
});

test("presence lasts as long as a member is there, and keeps the object no longer than its grace", async () => {
  const members = async (): Promise<string[]> => (await fetch(`${server.origin}/members`)).json() as Promise<string[]>;
  const ada = await stream(undefined, "ada");
  await stream(undefined, "bob");
  await eventually("both are there", members, ({ length }) => length === 2);
  ada.leave();
  await eventually("one is left", members, (now) => now.join() === "bob");
  for (const client of clients) client.leave();
  await eventually("no timer is left", state, ({ timers }) => timers === 0);
  expect(await members()).toEqual([]);
});

test("a client that left is noticed, and without any no timer keeps the object", async () => {
  const streams = await Promise.all([stream(), stream()]);
  expect((await state()).timers).toBeGreaterThan(0);
  for (const client of streams) client.leave();
  await eventually("the last has left", state, ({ connections }) => connections === 0);
  await publish("to no client");
  await eventually("no timer is left", state, ({ timers }) => timers === 0);
  expect(server.newOutput()).toBe("");
});

function start(): Promise<ServerProcess> {
  return startWorker(folder, { objects: "Room" });
}

async function stream(lastEventId?: string, member?: string): Promise<Http1Client> {
  const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  const path = member === undefined ? "/stream" : `/stream?member=${member}`;
  const client = await new Http1Client(server.port, { path, headers }).opened();
  clients.push(client);
  return client;
}

async function publish(...data: string[]): Promise<void> {
  const response = await fetch(`${server.origin}/publish?data=${encodeURIComponent(data.join())}`);
  expect(await response.json()).toHaveLength(data.length);
}

async function state(): Promise<State> {
  return (await fetch(server.origin)).json() as Promise<State>;
}

/** The next event but those that only tell a position. */
async function news(client: Http1Client): Promise<RecordedEvent> {
  for (;;) {
    const event = await client.next();
    if (event.type !== "sse:checkpoint") return event;
  }
}

async function dataOf(client: Http1Client, count: number): Promise<string[]> {
  return (await allOf(client, count)).map((text) => text.replace("news ", ""));
}

async function allOf(client: Http1Client, count: number): Promise<string[]> {
  const events: string[] = [];
  while (events.length < count) {
    const { type, data } = await news(client);
    events.push(`${type} ${data}`);
  }
  return events;
}
