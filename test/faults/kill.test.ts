import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { parseCursor } from "../../src/wire/cursor.ts";
import { launchChromium } from "../support/browser.ts";
import { eventually, within } from "../support/deadline.ts";
import { freePort } from "../support/server-process.ts";
import { file } from "../support/sqlite.ts";
import {
  chromiumClient,
  type Heard,
  type NewsClient,
  ownClassClient,
  ownClient,
  packageClient,
  rawClient,
} from "./kill/clients.ts";
import { Publisher } from "./kill/publisher.ts";

const rounds = 50;
const program = join(import.meta.dirname, "fixtures/news-server.ts");
const clients: NewsClient[] = [];
let server: ChildProcess | undefined;

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await kill();
});

test(`${rounds} times kill -9: five clients receive everything that was acknowledged, once and in order`, async () => {
  const [path, port] = [file(), await freePort()];
  const origin = `http://127.0.0.1:${port}`;
  await start(path, port);
  await using browser = await launchChromium();
  clients.push(await chromiumClient(browser, origin), packageClient(origin), rawClient(origin));
  clients.push(ownClient(origin), ownClassClient(origin));
  const live = async (): Promise<number> => (await (await fetch(`${origin}/live`)).json()).live;
  await eventually("all have come", live, (count) => count === clients.length);
  await using publisher = new Publisher(port, 3);
  for (let round = 1; round <= rounds; round++) {
    publisher.serverIsUp();
    const goal = publisher.acknowledged.size + 1 + ((round * 7) % 20);
    // Now and then it is killed before all have come back.
    const mayBeFewer = round % 3 === 0;
    await publisher.until(
      () => publisher.acknowledged.size >= goal && (mayBeFewer || publisher.live === clients.length),
    );
    publisher.serverIsDown();
    await kill();
    await start(path, port);
  }
  await publisher.rest();
  await publisher.post("last");

  expect(publisher.posted.size).toBeGreaterThan(publisher.acknowledged.size);
  for (const client of clients) {
    assertHeard(client.name, await within(20_000, `${client.name} receives the last`, client.until("last")), publisher);
  }
}, 240_000);

function assertHeard(name: string, all: readonly Heard[], { posted, acknowledged }: Publisher): void {
  // A checkpoint is a position in a quiet time, as the start of a server can be. Anything else would be a loss.
  const heard = all.filter(({ type }) => type !== "sse:checkpoint" && type !== "sse:later");
  expect([name, heard.filter(({ type }) => type !== "message")]).toEqual([name, []]);
  const cursors = new Map(heard.map(({ data, lastEventId }) => [data, lastEventId]));
  expect([name, cursors.size]).toEqual([name, heard.length]);
  const lost = [...acknowledged].filter(([data, cursor]) => cursors.get(data) !== cursor);
  expect([name, lost]).toEqual([name, []]);
  expect([name, heard.filter(({ data }) => !posted.has(data))]).toEqual([name, []]);
  const offsets = all.map(({ lastEventId }) => parseCursor(lastEventId)?.offset);
  expect([name, offsets]).toEqual([name, offsets.toSorted((a = 0, b = 0) => a - b)]);
}

async function start(path: string, port: number): Promise<void> {
  server = spawn(process.execPath, [program, path, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  await within(20_000, "the server listens", once(server.stdout as NodeJS.ReadableStream, "data"));
}

async function kill(): Promise<void> {
  if (server === undefined || server.signalCode !== null) return;
  const closed = once(server, "close");
  server.kill("SIGKILL");
  await closed;
}
