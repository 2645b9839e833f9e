import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { respond } from "../../src/adapters/node.ts";
import type { Hub, HubOptions } from "../../src/index.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { eventually } from "../support/deadline.ts";
import { openHub } from "../support/hub.ts";
import { type NativeBrowser, NativeClient, nativeBrowsers, type Tab, type Told } from "../support/native.ts";
import { root } from "../support/package.ts";
import { type PageServer, startPageServer } from "../support/page-server.ts";
import { freePort, ServerProcess } from "../support/server-process.ts";
import { file } from "../support/sqlite.ts";

const newsServer = join(root, "test/faults/fixtures/news-server.ts");

describe.each(nativeBrowsers)("the EventSource of $name on a hub", ({ launch }) => {
  let browser: NativeBrowser;
  let server: PageServer;
  let tab: Tab;
  let hub: Hub;

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser[Symbol.asyncDispose]());
  beforeEach(async () => {
    server = await startPageServer();
    server.routes.set("/news", (req, res) => respond(hub, req, res, { channels: ["news"] }));
    tab = await browser.newTab();
    await tab.goto(server.origin);
  });
  afterEach(async () => {
    await tab.close();
    await server[Symbol.asyncDispose]();
  });

  const follow = (): Promise<NativeClient> => NativeClient.open(tab, "/news");
  const say = (...texts: string[]) => Promise.all(texts.map((text) => hub.channel("news").dispatchMessage(text)));
  const begin = (options: HubOptions = {}): void => {
    ({ hub } = openHub({ retry: 500, ...options }));
  };

  /** An error after which it goes on trying. */
  const isAway = ({ type, state }: Told): boolean => type === "error" && state === 0;

  /** A client that has received its position. */
  async function settled(): Promise<NativeClient> {
    const client = await follow();
    await client.hears("sse:checkpoint");
    return client;
  }

  test("a new client receives its position, and the events during its absence once", async () => {
    begin();
    await say("before it came");
    const client = await follow();
    const { lastEventId } = await client.hears("sse:checkpoint");
    server.cut();
    const said = ["while it is away", "and again"];
    const cursors = await say(...said);
    await client.hears("message", "and again");
    await say("back");
    await client.hears("message", "back");
    const heard = (await client.heard()).filter(({ type }) => type !== "sse:checkpoint");
    expect(heard.map(({ data }) => data)).toEqual([...said, "back"]);
    expect(heard.slice(0, 2).map(({ lastEventId }) => lastEventId)).toEqual(cursors);
    expect(server.asked.map(([, id]) => id)).toEqual([undefined, lastEventId]);
  });

  // Firefox takes an id only from an event with data: it is told its position by a checkpoint, at once.
  test("a new client whose connection is cut immediately receives the events during its absence", async () => {
    begin();
    server.routes.set("/news", async (req, res) => {
      const source = await respond(hub, req, res, { channels: ["news"] });
      if (server.asked.length > 1) return;
      // Early enough that it has received no event, late enough that its opening is there.
      source?.addEventListener("close", () => void say("while it is away"));
      setTimeout(() => res.destroy(), 60);
    });
    const client = await follow();
    await client.opens(2);
    await say("back");
    await client.hears("message", "back");
    const heard = (await client.heard()).filter(({ type }) => type !== "sse:checkpoint");
    expect(heard.map(({ data }) => data)).toEqual(["while it is away", "back"]);
  });

  test("a page starts where its state ends, with the position in the address", async () => {
    begin();
    const cursor = await hub.cursor();
    await say("between the page and its stream");
    const client = await NativeClient.open(tab, `/news?lastEventId=${cursor}`);
    await client.hears("message", "between the page and its stream");
    server.cut();
    await say("while it is away");
    await client.hears("message", "while it is away");
    const heard = (await client.heard()).filter(({ type }) => type !== "sse:checkpoint");
    expect(heard.map(({ data }) => data)).toEqual(["between the page and its stream", "while it is away"]);
  });

  test("trimmed entries are declared, once", async () => {
    begin({ log: memoryLog({ maxEvents: 2 }) });
    const client = await settled();
    server.cut();
    await say("one", "two", "three");
    // The rest belongs to other channels: no event brings the client past the gap, only the gap itself.
    for (const text of ["four", "five"]) await hub.channel("elsewhere").dispatchMessage(text);
    const gap = await client.hears("sse:gap");
    expect(JSON.parse(gap.data ?? "")).toMatchObject({ missed: 3, reason: "trimmed" });
    server.cut();
    await client.opens(3);
    await say("six");
    await client.hears("message", "six");
    const heard = (await client.heard()).filter(({ type }) => type !== "sse:checkpoint");
    expect(heard.map(({ type }) => type)).toEqual(["sse:gap", "message"]);
    expect(server.asked[2]?.[1]).toBe(gap.lastEventId);
  });

  test("a log that is not the one it knows is declared, once", async () => {
    begin();
    const client = await settled();
    begin();
    server.cut();
    expect(JSON.parse((await client.hears("sse:reset")).data ?? "")).toEqual({ reason: "epoch" });
    server.cut();
    await client.opens(3);
    await say("in the new log");
    await client.hears("message", "in the new log");
    expect((await client.heard()).filter(({ type }) => type === "sse:reset")).toHaveLength(1);
  });

  test("it receives the end of its channel, and does not reconnect", async () => {
    begin();
    const client = await settled();
    await say("the last");
    await hub.channel("news").end();
    await client.hears("sse:end");
    await eventually(
      "it is closed",
      () => client.readyState(),
      (state) => state === 2,
    );
    expect((await client.heard()).map(({ type }) => type)).toEqual(["sse:checkpoint", "message", "sse:end"]);
    expect(server.asked).toHaveLength(2);
  });

  test("rejected at the limit, it retries and is admitted", async () => {
    begin({ limits: { connections: 1 } });
    // The shortest of the times that are drawn for it.
    vi.spyOn(Math, "random").mockReturnValue(0);
    onTestFinished(() => void vi.restoreAllMocks());
    const first = await settled();
    const second = await follow();
    await second.until("it is rejected", (told) => told.some(isAway));
    await first.close();
    await second.hears("sse:checkpoint");
    await say("to all connected");
    await second.hears("message", "to all connected");
    expect(hub.stats().refused).toMatchObject({ connections: 1 });
  });

  test("a server that is killed and started again has lost nothing", async () => {
    const [path, port] = [file(), await freePort()];
    const start = () => ServerProcess.start({ args: [newsServer, path, String(port)], cwd: root, port });
    let news = await start();
    onTestFinished(async () => void (await news.stop("SIGKILL")));
    // Any page of it but the one that has a client of its own.
    await tab.goto(`${news.origin}/state`);
    const client = await NativeClient.open(tab, "/events");
    await client.hears("sse:checkpoint");
    const acknowledged: [string, string][] = [];
    const post = async (text: string): Promise<void> => {
      const answer = await fetch(`${news.origin}/publish`, { method: "POST", body: text });
      acknowledged.push([text, (await answer.json()).cursor]);
    };
    for (let round = 1; round <= 3; round++) {
      for (const text of ["one", "two", "three"]) await post(`${text} of round ${round}`);
      if (round === 2) await client.hears("message", "three of round 2");
      await news.stop("SIGKILL");
      // Its connection is cut once, and one attempt fails because no server listens.
      if (round === 1) await client.until("an attempt has failed", (told) => told.filter(isAway).length >= 2);
      news = await start();
      await post(`on the server of round ${round}`);
    }
    await client.hears("message", "on the server of round 3");
    const heard = (await client.heard()).filter(({ type }) => type !== "sse:checkpoint");
    expect(heard.map(({ data, lastEventId }) => [data, lastEventId])).toEqual(acknowledged);
  });
});
