import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { parseCursor } from "../../src/wire/cursor.ts";
import {
  chromiumClient,
  type Heard,
  type NewsClient,
  ownClient,
  packageClient,
  rawClient,
} from "../faults/kill/clients.ts";
import { Publisher } from "../faults/kill/publisher.ts";
import { Random } from "../faults/model/random.ts";
import { launchChromium } from "../support/browser.ts";
import { eventually, within } from "../support/deadline.ts";
import { root } from "../support/package.ts";
import { freePort, ServerProcess } from "../support/server-process.ts";
import { startNats } from "../support/stores/nats-server.ts";
import { startPostgres } from "../support/stores/postgres-server.ts";
import { startRedis } from "../support/stores/redis-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

/** How often something is killed on each database: `npm run test:model -- --kill` does it 50 times, with Chromium. */
const rounds = Number(process.env.KILL_ROUNDS ?? 4);
const seed = Number(process.env.MODEL_SEED ?? 1);
const only = process.env.MODEL_STORE;
const hasBrowser = process.env.KILL_BROWSER === "1";
const program = join(import.meta.dirname, "fixtures/news-server.ts");
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// Redis writes each command to its file, as a database does.
const stores = { nats: startNats, postgres: startPostgres, redis: () => startRedis({ appendonly: "yes" }) };

for (const [name, startStore] of Object.entries(stores)) {
  if (only !== undefined && only !== name) continue;
  test(`${rounds} times kill -9 on ${name}, of servers and of the database: clients receive everything that was acknowledged`, {
    timeout: 60_000 + rounds * 20_000,
  }, async () => {
    const random = new Random(seed);
    for (let warm = 0; warm < 4; warm++) random.next();
    const store = await startStore();
    cleanups.push(() => store[Symbol.asyncDispose]());
    const ports = [await freePort(), await freePort()];
    const servers = await Promise.all(ports.map((port) => startServer(name, store, port)));
    cleanups.push(() => Promise.all(servers.map((server) => server.stop("SIGKILL"))));
    const origins = ports.map((port) => `http://127.0.0.1:${port}`) as [string, string];
    const clients = await connect(origins);
    for (const client of clients) cleanups.push(() => client.close());
    await Promise.all(
      origins.map((origin, at) =>
        eventually(
          "all have come",
          () => live(origin),
          (count) => count >= 1 + at,
        ),
      ),
    );
    const publishers = ports.map((port, at) => new Publisher(port, 2, at === 0 ? "a" : "b"));
    for (const publisher of publishers) cleanups.push(() => publisher[Symbol.asyncDispose]());

    for (let round = 1; round <= rounds; round++) {
      for (const publisher of publishers) publisher.serverIsUp();
      await Promise.all(publishers.map((publisher) => more(publisher, 1 + random.below(15))));
      const target = random.below(4);
      if (target < 2) {
        publishers[target]?.serverIsDown();
        await servers[target]?.stop("SIGKILL");
        servers[target] = await startServer(name, store, ports[target] as number);
      } else if (target === 2) {
        await store.kill();
        await store.restart();
      } else {
        store.pause();
        await new Promise((resolve) => setTimeout(resolve, 50 + random.below(500)));
        store.resume();
      }
    }
    for (const publisher of publishers) publisher.serverIsUp();
    await Promise.all(publishers.map((publisher) => publisher.rest()));
    const last = publishers[1] as Publisher;
    for (let attempt = 0; !last.acknowledged.has(`last ${attempt - 1}`); attempt++) await last.post(`last ${attempt}`);
    const end = [...last.acknowledged.keys()].at(-1) as string;
    for (const client of clients) {
      const heard = await within(30_000, `${client.name} receives the last`, client.until(end));
      assertHeard(`${client.name}, ${name}, seed ${seed}`, heard, publishers);
    }
  });
}

async function connect([one, two]: [string, string]): Promise<NewsClient[]> {
  const clients = [packageClient(one), rawClient(two), ownClient(two)];
  if (!hasBrowser) return clients;
  const browser = await launchChromium();
  cleanups.push(() => browser.close());
  return [...clients, await chromiumClient(browser, one)];
}

function startServer(name: string, store: StoreServer, port: number): Promise<ServerProcess> {
  return ServerProcess.start({ args: [program, name, String(store.port), "$PORT"], cwd: root, port });
}

async function live(origin: string): Promise<number> {
  return (await (await fetch(`${origin}/live`)).json()).live;
}

/** So many more events are acknowledged. */
async function more(publisher: Publisher, count: number): Promise<void> {
  const goal = publisher.acknowledged.size + count;
  const asked = async (): Promise<number> => publisher.acknowledged.size;
  await eventually("events are acknowledged again", asked, (size) => size >= goal, 30_000);
}

function assertHeard(name: string, all: readonly Heard[], publishers: readonly Publisher[]): void {
  const heard = all.filter(({ type }) => type !== "sse:checkpoint" && type !== "sse:later");
  // Nothing was lost, so nothing may be declared as lost.
  expect([name, heard.filter(({ type }) => type !== "message")]).toEqual([name, []]);
  const cursors = new Map(heard.map(({ data, lastEventId }) => [data, lastEventId]));
  expect([name, cursors.size]).toEqual([name, heard.length]);
  for (const { acknowledged, posted } of publishers) {
    const lost = [...acknowledged].filter(([data, cursor]) => cursors.get(data) !== cursor);
    expect([name, lost]).toEqual([name, []]);
    for (const data of posted) cursors.delete(data);
  }
  expect([name, [...cursors]]).toEqual([name, []]);
  const offsets = heard.map(({ lastEventId }) => parseCursor(lastEventId)?.offset);
  expect([name, offsets]).toEqual([name, offsets.toSorted((a = 0, b = 0) => a - b)]);
}
