// Real tabs of Chromium that share one connection: seeded histories in which tabs open, close, go away and come back.
import { readdirSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { respond } from "../../src/adapters/node.ts";
import { channelsOf, type Hub } from "../../src/index.ts";
import { launchChromium } from "../support/browser.ts";
import { eventually } from "../support/deadline.ts";
import { randomNumbers } from "../support/followers.ts";
import { openHub } from "../support/hub.ts";
import { root } from "../support/package.ts";
import { type PageServer, startPageServer } from "../support/page-server.ts";

const histories = Number(process.env.HISTORIES ?? 50);
const channels = ["a", "b", "c"];

let browser: Browser;
let context: BrowserContext;
let server: PageServer;
let hub: Hub;
/** The streams that are open on the server. */
const streams = new Set<ServerResponse>();
let published: { channel: string }[] = [];

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());
beforeEach(async () => {
  ({ hub } = openHub({ retry: 100 }));
  published = [];
  server = await startPageServer();
  serveClient(server);
  server.routes.set("/events", async (req, res) => {
    streams.add(res);
    res.on("close", () => streams.delete(res));
    await respond(hub, req, res, await channelsOf(req, { allow: channels }));
  });
  context = await browser.newContext();
});
afterEach(async () => {
  await context.close();
  await server[Symbol.asyncDispose]();
});

/** The built client, in the files that it has in the package, and another build, whose messages have another version. */
function serveClient({ routes }: PageServer): void {
  const serve = (address: string, code: string): void => {
    routes.set(address, (_, res) => {
      res.writeHead(200, { "content-type": "text/javascript" }).end(code);
    });
  };
  let changed = 0;
  for (const build of ["", "/next"]) {
    const folderOf = `${build}/dist/client`;
    serve(`${build}/client.js`, `import { subscribe } from "${folderOf}/index.js"; globalThis.subscribe = subscribe;`);
    serve(`${build}/worker.js`, `import { serveTabs } from "${folderOf}/worker.js"; serveTabs();`);
    for (const folder of ["client", "chunks"]) {
      for (const file of readdirSync(join(root, "dist", folder))) {
        if (!file.endsWith(".js")) continue;
        const code = readFileSync(join(root, "dist", folder, file), "utf8");
        const next = code.replaceAll("sourcecast 1 ", "sourcecast 2 ");
        if (next !== code) changed++;
        serve(`${build}/dist/${folder}/${file}`, build === "" ? code : next);
      }
    }
  }
  expect(changed, "files that another build changes").toBeGreaterThan(0);
}

interface Told {
  received: string[];
  losses: number;
  cursor: string;
  state: string;
}

/** A tab with one subscription. */
class Tab {
  readonly page: Page;
  readonly followed: readonly string[];
  /** The number of events that had been published when it had a position. */
  joinedAt: number | null = null;
  isClosed = false;
  /** How many of the events have arrived, if it has missed none. */
  arrived = 0;

  private constructor(page: Page, followed: readonly string[]) {
    this.page = page;
    this.followed = followed;
  }

  /** @param worker The address of a SharedWorker, or none. @param profile Of the browser. @param build `""` or `"/next"`. */
  static async open(
    user: string,
    followed: readonly string[],
    worker = "",
    profile = context,
    build = "",
  ): Promise<Tab> {
    const page = await profile.newPage();
    await page.goto(server.origin);
    await page.addScriptTag({ type: "module", url: `${build}/client.js` });
    await page.evaluate(
      ([user, followed, url]) => {
        const { subscribe } = globalThis as never as Pick<typeof import("../../src/client/index.ts"), "subscribe">;
        const told = { received: [] as string[], losses: 0 };
        const worker = () => new SharedWorker(url, { type: "module" });
        const shared = { channels: followed, share: "browser", identity: user } as const;
        const headers = () => ({ "x-user": user });
        const stream = subscribe("/events", url === "" ? shared : { ...shared, worker, headers });
        stream.on("*", (event) => told.received.push(event.data));
        stream.onLoss(() => told.losses++);
        Object.assign(globalThis, { stream, told });
      },
      [user, followed, worker] as const,
    );
    return new Tab(page, followed);
  }

  tell(): Promise<Told> {
    return this.page.evaluate(() => {
      const { stream, told } = globalThis as never as {
        stream: { cursor: string; status: { state: string } };
        told: Told;
      };
      return { ...told, cursor: stream.cursor, state: stream.status.state };
    });
  }

  async joined(): Promise<this> {
    await eventually(
      "a position of a tab",
      () => this.tell(),
      ({ cursor }) => cursor !== "",
    );
    this.joinedAt = published.length;
    return this;
  }

  /** The page goes to the back/forward cache, or comes back from it. */
  async tellPage(type: "pagehide" | "pageshow"): Promise<void> {
    await this.page.evaluate((name) => dispatchEvent(new PageTransitionEvent(name, { persisted: true })), type);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.page.close();
  }

  /** In order, nothing twice, nothing of others, all that was published since it joined. */
  async judge(): Promise<void> {
    const { received, losses } = await this.tell();
    expect(losses).toBe(0);
    for (const channel of channels) {
      const all = published.slice(0, this.arrived);
      const numbers = received.map(Number).filter((place) => all[place]?.channel === channel);
      const from = numbers[0] ?? all.length;
      const expected = all.flatMap((event, place) => (event.channel === channel && place >= from ? [place] : []));
      expect(numbers).toEqual(this.followed.includes(channel) ? expected : []);
      const first = all.findIndex((event, place) => place >= (this.joinedAt ?? 0) && event.channel === channel);
      if (this.followed.includes(channel) && first !== -1) expect(from).toBeLessThanOrEqual(first);
    }
  }
}

async function publish(channel: string): Promise<void> {
  published.push({ channel });
  await hub.channel(channel).dispatch(channel, String(published.length - 1));
}

/** The last event of each channel has arrived in all tabs. */
async function settled(tabs: readonly Tab[]): Promise<void> {
  for (const channel of channels) await publish(channel);
  for (const tab of tabs) {
    const last = published.findLastIndex(({ channel }) => tab.followed.includes(channel));
    tab.arrived = last + 1;
    await eventually(
      `event ${last} of a tab`,
      () => tab.tell(),
      ({ received }) => received.includes(String(last)),
    );
  }
}

/** Cuts the streams alone: other pages may be loading. */
function cutStreams(): void {
  for (const { socket } of streams) socket?.destroy();
}

function oneIsOpen(): Promise<number> {
  return eventually(
    "one connection",
    async () => streams.size,
    (count) => count === 1,
  );
}

describe("tabs of one user", () => {
  test("four tabs make one connection, and each receives its channels", async () => {
    const tabs = await Promise.all([["a"], ["b"], ["a", "c"], ["c"]].map((followed) => Tab.open("ann", followed)));
    for (const tab of tabs) await tab.joined();
    await settled(tabs);
    for (const tab of tabs) await tab.judge();
    await oneIsOpen();
    const loaded = await tabs[0]?.page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
    expect(loaded?.some((name) => name.includes("/dist/chunks/tabs"))).toBe(true);
  });

  test("tabs of another user have another connection", async () => {
    const tabs = [await Tab.open("ann", ["a"]), await Tab.open("bob", ["a"])];
    for (const tab of tabs) await tab.joined();
    expect(streams.size).toBe(2);
  });

  test("when the tab with the connection is closed, another one continues", async () => {
    const tabs = [await (await Tab.open("ann", ["a"])).joined()];
    for (let n = 0; n < 2; n++) tabs.push(await (await Tab.open("ann", ["a"])).joined());
    await publish("a");
    await tabs[0]?.close();
    await publish("a");
    const rest = tabs.slice(1);
    await settled(rest);
    for (const tab of rest) await tab.judge();
    await oneIsOpen();
  });

  test("a tab that comes back from the back/forward cache continues", async () => {
    const tabs = [await (await Tab.open("ann", ["a"])).joined(), await (await Tab.open("ann", ["a"])).joined()];
    const [first] = tabs as [Tab];
    await first.tellPage("pagehide");
    await publish("a");
    await first.tellPage("pageshow");
    await settled(tabs);
    for (const tab of tabs) await tab.judge();
    await oneIsOpen();
  });
});

describe("a SharedWorker", () => {
  test("has the connection for all tabs, with the headers of one of them, and keeps it when they close", async () => {
    const tabs = [await (await Tab.open("ann", ["a"], "/worker.js")).joined()];
    await oneIsOpen();
    const [connection] = streams;
    for (let n = 0; n < 2; n++) tabs.push(await (await Tab.open("ann", ["a"], "/worker.js")).joined());
    await oneIsOpen();
    await tabs[0]?.close();
    const rest = tabs.slice(1);
    await settled(rest);
    for (const tab of rest) await tab.judge();
    expect([...streams]).toEqual([connection]);
    expect(connection?.req.headers["x-user"]).toBe("ann");
  });

  test("that cannot be loaded leaves the connection to a tab", async () => {
    const tabs = await Promise.all([Tab.open("ann", ["a"], "/missing.js"), Tab.open("ann", ["a"], "/missing.js")]);
    for (const tab of tabs) await tab.joined();
    await settled(tabs);
    for (const tab of tabs) await tab.judge();
    await oneIsOpen();
  });
});

/** After a deploy, tabs of the build before are still open, and their worker runs. */
test.each(["", "/worker.js"])("tabs of two builds do not disturb each other (worker %j)", async (worker) => {
  const open = (build: string) => Tab.open("ann", ["a", "b"], worker, context, build);
  const tabs = [await (await open("")).joined()];
  for (const build of ["/next", "", "/next"]) tabs.push(await (await open(build)).joined());
  await settled(tabs);
  await eventually(
    "one connection for each build",
    async () => streams.size,
    (count) => count === 2,
  );
  // Those of the build before go, one after the other.
  for (const place of [0, 2]) {
    await tabs[place]?.close();
    await publish("a");
  }
  const rest = tabs.filter(({ isClosed }) => !isClosed);
  await settled(rest);
  for (const tab of rest) await tab.judge();
  if (worker === "") await oneIsOpen();
});

async function history(seed: number, profile: BrowserContext): Promise<void> {
  const random = randomNumbers(seed);
  const choose = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const live = (): Tab[] => tabs.filter(({ isClosed }) => !isClosed);
  const tabs: Tab[] = [];
  const add = async (): Promise<void> => {
    const followed = channels.filter(() => random() < 0.5);
    tabs.push(await Tab.open(`user ${seed}`, followed.length > 0 ? followed : ["a"], "", profile));
  };
  await add();
  await add();
  for (let step = 0; step < 5; step++) {
    const chance = random();
    if (chance < 0.4) await publish(choose(channels));
    else if (chance < 0.55) await add();
    else if (chance < 0.7 && live().length > 1) await choose(live()).close();
    else if (chance < 0.8) await choose(live()).joined();
    else if (chance < 0.9) cutStreams();
    else {
      const away = choose(live());
      await away.tellPage("pagehide");
      await publish(choose(channels));
      await away.tellPage("pageshow");
    }
  }
  for (const tab of live()) if (tab.joinedAt === null) await tab.joined();
  await settled(live());
  for (const tab of live()) await tab.judge();
  await Promise.all(live().map((tab) => tab.close()));
}

test(`${histories} seeded histories of tabs`, { timeout: 240_000 }, async () => {
  // Users do not affect each other, so some take their turns at the same time. Each has a profile: those of one profile share
  // the six connections that Chromium opens to a host.
  let seed = 0;
  const takeTurns = async (): Promise<void> => {
    const profile = await browser.newContext();
    while (seed < histories) await history(++seed, profile);
    await profile.close();
  };
  await Promise.all(Array.from({ length: 5 }, takeTurns));
});
