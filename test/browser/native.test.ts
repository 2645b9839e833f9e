import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openEventSource } from "../../src/adapters/node.ts";
import type { EventSource as Source, SourceOptions } from "../../src/index.ts";
import { eventually } from "../support/deadline.ts";
import { type NativeBrowser, NativeClient, type NativeOptions, nativeBrowsers, type Tab } from "../support/native.ts";
import { type PageServer, startPageServer } from "../support/page-server.ts";

describe.each(nativeBrowsers)("the EventSource of $name", ({ launch }) => {
  let browser: NativeBrowser;
  let server: PageServer;
  let tab: Tab;
  /** Those that clients have opened, in order. */
  let sources: Source[];

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser[Symbol.asyncDispose]());
  beforeEach(async () => {
    server = await startPageServer();
    sources = [];
    tab = await browser.newTab();
    await tab.goto(server.origin);
  });
  afterEach(async () => {
    await tab.close();
    for (const source of sources) await source.close();
    await server[Symbol.asyncDispose]();
  });

  /** Serves a stream at `/stream`, and has the page follow it. */
  async function follow(options: SourceOptions & NativeOptions = {}, opened: (source: Source) => void = () => {}) {
    serve(server, options, opened);
    return NativeClient.open(tab, "/stream", options);
  }

  function serve(
    on: PageServer,
    { types: _types, withCredentials: _withCredentials, ...options }: SourceOptions & NativeOptions,
    opened: (source: Source) => void = () => {},
  ): void {
    on.routes.set("/stream", (req, res) => {
      const source = openEventSource(req, res, { retry: 500, ...options });
      sources.push(source);
      opened(source);
    });
  }

  const open = (): number => sources.filter(({ readyState }) => readyState === 1).length;

  test("it opens at once, long before there is an event", async () => {
    const client = await follow();
    expect(await client.opens()).toEqual([{ type: "open", state: 1 }]);
    sources[0]?.dispatchMessage("the first");
    await client.hears("message", "the first");
  });

  test("it dispatches events in order, by their types, with text of any kind", async () => {
    const texts = [
      "",
      " with space ",
      "one\ntwo\r\nthree\rfour",
      "\n",
      "żółć 🦊 𐍈 \u2028 \ufeff",
      "data: no",
      ": no",
      "\t",
    ];
    const types = ["message", "price", "żółw", "open?"];
    const client = await follow({ types: types.slice(1) });
    await client.opens();
    const events = texts.flatMap((text) => types.map((type) => [type, text] as const));
    for (const [type, text] of events) sources[0]?.dispatch(type, text);
    sources[0]?.dispatch("message", "the last");
    await client.hears("message", "the last");
    const expected = events.map(([type, text]) => [type, text.replace(/\r\n?/g, "\n")]);
    expect((await client.heard()).slice(0, -1).map(({ type, data }) => [type, data])).toEqual(expected);
  });

  test("it dispatches an event of a megabyte", async () => {
    const text = "0123456789abcdeß".repeat(65_536);
    const client = await follow();
    await client.opens();
    sources[0]?.dispatchMessage(text);
    expect((await client.hears("message")).data).toBe(text);
  });

  test("a connection that is cut comes back, with the id of the last event that had one", async () => {
    const client = await follow({}, (source) => {
      if (sources.length === 1) source.dispatch("message", "with an id", { id: "a-1" });
      source.dispatch("message", `without one, on ${sources.length}`);
    });
    await client.hears("message", "without one, on 1");
    server.cut();
    const after = await client.hears("message", "without one, on 2");
    expect(after.lastEventId).toBe("a-1");
    expect(server.asked).toEqual([
      ["/stream", undefined],
      ["/stream", "a-1"],
    ]);
    expect((await client.told()).filter(({ type }) => type === "error")).toEqual([{ type: "error", state: 0 }]);
  });

  test("it comes back when `retry` says so, before one that was told nothing", async () => {
    server.routes.set("/untold", (_req, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" }).write(": a byte to open with\n\n");
    });
    const untold = await NativeClient.open(tab, "/untold");
    await untold.opens();
    const client = await follow();
    await client.opens();
    server.cut();
    await client.opens(2);
    expect(server.asked.map(([path]) => path)).toEqual(["/untold", "/stream", "/stream"]);
  });

  test("it comes back too when the server ends the stream", async () => {
    const client = await follow();
    await client.opens();
    await sources[0]?.close();
    await client.opens(2);
  });

  test.each([204, 503])("status %i stops it for good", async (status) => {
    const client = await follow();
    await client.opens();
    server.routes.set("/stream", (_req, res) => res.writeHead(status).end());
    server.cut();
    await eventually(
      "it is closed",
      () => client.readyState(),
      (state) => state === 2,
    );
    expect(server.asked).toHaveLength(2);
  });

  test("closing it in the page closes the connection, and frees its place among the six of the origin", async () => {
    serve(server, {});
    const clients: NativeClient[] = [];
    for (let count = 0; count < 7; count++) clients.push(await NativeClient.open(tab, "/stream"));
    await eventually(
      "six are open",
      async () => open(),
      (count) => count === 6,
    );
    expect(await clients[6]?.readyState()).toBe(0);
    const closed = Promise.withResolvers<unknown>();
    sources[0]?.addEventListener("close", closed.resolve);
    await clients[0]?.close();
    await closed.promise;
    await clients[6]?.opens();
  });

  test("leaving the page closes the connection; going back to it opens a new one", async () => {
    const client = await follow();
    await client.opens();
    const closed = Promise.withResolvers<unknown>();
    sources[0]?.addEventListener("close", closed.resolve);
    await tab.goto(`${server.origin}/?elsewhere`);
    await closed.promise;
    await tab.goBack();
    // A page that was kept would still have its client.
    expect(await tab.evaluate(() => window.clients === undefined, undefined)).toBe(true);
    await (await follow()).opens();
    expect(open()).toBe(1);
  });

  describe("from another origin", () => {
    let other: PageServer;
    let cookies: (string | undefined)[];

    beforeEach(async () => {
      other = await startPageServer();
      cookies = [];
    });
    afterEach(() => other[Symbol.asyncDispose]());

    async function followOther(options: SourceOptions & NativeOptions) {
      serve(other, options, (source) => source.dispatch("message", "hello", { id: "a-1" }));
      const stream = other.routes.get("/stream");
      other.routes.set("/stream", (req, res) => {
        cookies.push(req.headers.cookie);
        stream?.(req, res);
      });
      return NativeClient.open(tab, `${other.origin}/stream`, options);
    }

    test("`cors: true` lets it read, without cookies, after a cut too", async () => {
      const client = await followOther({ cors: true });
      await client.hears("message", "hello");
      other.cut();
      await client.opens(2);
      expect(other.asked.map(([, id]) => id)).toEqual([undefined, "a-1"]);
      expect(cookies).toEqual([undefined, undefined]);
    });

    test("`cors` with credentials lets it read with cookies", async () => {
      const client = await followOther({
        cors: { origin: server.origin, credentials: true },
        withCredentials: true,
      });
      await client.hears("message", "hello");
      expect(cookies).toEqual(["user=ada"]);
    });

    test.each([
      ["no `cors`", {}],
      ["`cors` for another origin", { cors: "https://example.com" }],
      ["`cors` without credentials, when it has some", { cors: true, withCredentials: true }],
    ] as const)("%s stops it", async (_, options) => {
      const client = await followOther(options);
      await eventually(
        "it is closed",
        () => client.readyState(),
        (state) => state === 2,
      );
      expect(await client.heard()).toEqual([]);
    });
  });
});
