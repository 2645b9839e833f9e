import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Http1Client } from "../../support/client.ts";
import { eventually } from "../../support/deadline.ts";
import type { ServerProcess } from "../../support/server-process.ts";
import { temporaryFile } from "../../support/temporary.ts";
import { bundleWorker, startWorker } from "../../support/workers.ts";

const { path: folder, remove } = temporaryFile("worker");
const clients: Http1Client[] = [];
let server: ServerProcess;

beforeAll(async () => {
  await bundleWorker(join(import.meta.dirname, "fixtures/plain.ts"), folder);
  server = await startWorker(folder);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.leave();
  await eventually("all have left", state, ({ size }) => size === 0);
  await state();
  expect(server.newOutput()).toBe("");
});

afterAll(async () => {
  await server?.stop("SIGKILL");
  remove();
});

test("each source gets its own keep-alives, also when the request before it is gone", async () => {
  const first = await stream();
  const second = await stream();
  await beats(first, 2);
  first.leave();
  await beats(second, 6);
  const third = await stream();
  await beats(third, 2);
});

test("a client that left is noticed with the next heartbeat", async () => {
  (await stream()).leave();
  await eventually("the source is closed", state, ({ size }) => size === 0);
});

test("a set that requests share reaches those of this isolate", async () => {
  const streams = [await stream(), await stream()];
  expect(await ask("/dispatch")).toBe(2);
  for (const client of streams) expect(await client.next()).toMatchObject({ type: "news", data: "for all" });
  streams[0]?.leave();
  await eventually("one is left", state, ({ size }) => size === 1);
  expect(await ask("/dispatch")).toBe(1);
  expect(await streams[1]?.next()).toMatchObject({ data: "for all" });
  await beats(streams[1] as Http1Client, 2);
});

test("a source is closed from another request", async () => {
  const streams = [await stream(), await stream()];
  expect(await ask("/close")).toBe(2);
  for (const client of streams) expect(await client.rest()).toBe("end");
});

test("a hub that requests share is noticed when its timer has gone with one of them, and the remedy is named", async () => {
  (await stream("/hub")).leave();
  await eventually(
    "the warning is printed",
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      (await stream("/hub")).leave();
      return server.newOutput();
    },
    (output) => /^sourcecast: a hub is shared by the requests of a worker.* Make it in a Durable Object/.test(output),
    20_000,
  );
});

async function stream(path = "/stream"): Promise<Http1Client> {
  const client = await new Http1Client(server.port, { path }).opened();
  clients.push(client);
  return client;
}

/** Waits for that many more. */
async function beats(client: Http1Client, count: number): Promise<void> {
  const heard = (): number => client.body.toString().split("\n:\n").length - 1;
  const before = heard();
  await client.until(() => heard() >= before + count || client.ended !== null);
  expect(client.ended).toBeNull();
}

async function ask<T>(path: string): Promise<T> {
  return (await fetch(server.origin + path)).json() as Promise<T>;
}

function state(): Promise<{ size: number; closed: string[] }> {
  return ask("/");
}
