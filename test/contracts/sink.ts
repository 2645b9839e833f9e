import { afterEach, describe, expect, test } from "vitest";
import type { EventSource, SourceOptions } from "../../src/index.ts";
import type { ClientRequest } from "../support/client.ts";
import type { Exchange, Running, Sink } from "../support/sinks.ts";

const kilobyte = "x".repeat(1_024);

type Route = (exchange: Exchange) => Promise<EventSource> | EventSource;

/** The promises of every sink, seen from the other end of a connection. */
export function sinkContract(sink: Sink): void {
  let server: Running | undefined;
  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });

  let handle: (exchange: Exchange) => unknown = () => {};

  /** One request to the server, which starts with the first, and what the server will have made of it. */
  async function begin(request: ClientRequest | undefined, route: Route) {
    const routed = Promise.withResolvers<{ source: EventSource; exchange: Exchange }>();
    handle = async (exchange) => {
      try {
        routed.resolve({ source: await route(exchange), exchange });
      } catch (error) {
        routed.reject(error);
      }
    };
    server ??= await sink.start((exchange) => handle(exchange));
    return { client: server.connect(request), routed: routed.promise };
  }

  async function exchange(request?: ClientRequest, route: Route = ({ open }) => open()) {
    const { client, routed } = await begin(request, route);
    return { client, ...(await routed) };
  }

  /** The usual case: a source with these options and its client, which has got the first bytes. */
  async function open(options?: SourceOptions, request?: ClientRequest) {
    const one = await exchange(request, ({ open }) => open(options));
    await one.client.opened();
    return one;
  }

  const reasonOf = (source: EventSource) => {
    const reasons: string[] = [];
    source.addEventListener("close", (event) => reasons.push(event.reason));
    return reasons;
  };

  describe("the rules for writing", () => {
    test("rule 1: status 200 and text/event-stream", async () => {
      const { client } = await open();
      expect(client.status).toBe(200);
      expect(client.headers["content-type"]).toMatch(/^text\/event-stream(; ?charset=utf-8)?$/);
    });

    test("rule 2: header and a first byte of the body come at once, before anything is dispatched", async () => {
      const { client } = await exchange();
      await client.until(() => client.pieces.length > 0);
      expect(client.status).toBe(200);
      expect(client.parser.events).toEqual([]);
      expect(client.parser.retry).toBeGreaterThan(0);
    });

    test("rule 3: lines end at LF, one blank line stands between events", async () => {
      const { client, source } = await open();
      source.dispatch("a", "1\r\n2\r3");
      source.dispatchComment("b\r\nc");
      source.dispatch("d", "");
      await source.close();
      await client.rest();
      const text = client.body.toString();
      expect(text).not.toContain("\r");
      expect(text).not.toContain("\n\n\n");
      expect(text).toMatch(/retry: \d+\nevent: a\ndata: 1\ndata: 2\ndata: 3\n\n: b\n: c\nevent: d\ndata: \n\n$/);
    });

    test("rule 4: what is refused is refused before anything is written", async () => {
      const { client, source } = await open();
      expect(() => source.dispatch("a\ndata: b", "1")).toThrow(/line break/);
      expect(() => source.dispatch("a", "1", { id: "7\n\ndata: b" })).toThrow(/id/);
      source.dispatch("end");
      expect((await client.next()).type).toBe("end");
      expect(client.body.toString()).toMatch(/retry: \d+\nevent: end\ndata: \n\n$/);
    });

    test("rule 6: the stream does not begin with a byte order mark, and one in the data survives", async () => {
      const { client, source } = await open();
      source.dispatchMessage("\uFEFFdata");
      expect((await client.next()).data).toBe("\uFEFFdata");
      expect(client.body.subarray(0, 3)).not.toEqual(Buffer.from("\uFEFF"));
    });

    test("rule 7: an event is never cut: it leaves whole, and the end comes after it", async () => {
      const { client, source } = await open();
      const data = `é${kilobyte}`.repeat(300);
      source.dispatch("big", data);
      source.dispatch("last", "words");
      void source.close();
      expect(await client.rest()).toBe("end");
      expect(client.parser.events.map((event) => event.data)).toEqual([data, "words"]);
      expect(client.parser.complete).toBe(true);
    });

    test("rule 9: every block has data; the opening, comments and keep-alives are lines", async () => {
      const { client, source } = await open({ keepAlive: 5 });
      source.dispatchComment("a comment");
      source.dispatch("t", undefined, { id: "7" });
      await client.until(() => client.parser.comments.length > 4);
      await source.close();
      await client.rest();
      const blocks = client.body.toString().split("\n\n").slice(0, -1);
      expect(blocks.filter((block) => !/^data:/m.test(block))).toEqual([]);
    });

    test("rule 12: Last-Event-ID is read as UTF-8", async () => {
      const id = Buffer.from("é日").toString("latin1");
      // Node's HTTP/2 client writes header values as UTF-8 on its own; a socket of HTTP/1 gets bytes.
      const headers = { "last-event-id": sink.name.includes("http2") ? id : "é日" };
      const { source } = await open({}, { headers });
      expect(source.lastEventId).toBe("é日");
    });

    test("rule 13: the query parameter lastEventId is accepted too", async () => {
      const { source } = await open({}, { path: "/events?lastEventId=a-7" });
      expect([source.lastEventId, new URL(source.url).pathname]).toEqual(["a-7", "/events"]);
    });

    test("rule 15: each connection is told a reconnection time of its own", async () => {
      const times = new Set<number | undefined>();
      for (let n = 0; n < 6; n++) times.add((await open()).client.parser.retry);
      expect(times.size).toBeGreaterThan(1);
    });

    test("rule 16: after idle time comes a comment, which is not an event and takes no id", async () => {
      const { client, source } = await open({ keepAlive: 5 });
      source.dispatch("t", 1, { id: "7" });
      await client.until(() => client.parser.comments.length > 3);
      expect(client.parser.events).toHaveLength(1);
      expect(client.parser.lastEventId).toBe("7");
    });

    test("rule 17: the opening announces the keep-alive interval", async () => {
      const { client } = await open({ keepAlive: "12s" });
      expect(client.parser.comments).toEqual(["keep-alive 12000"]);
    });

    test("rule 18: the default headers, each of which can be overridden or removed", async () => {
      const { client } = await open();
      expect(client.headers).toMatchObject({
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
        "x-content-type-options": "nosniff",
      });
      expect(client.headers).not.toHaveProperty("content-length");
    });

    test("rule 18: own headers win, and null removes", async () => {
      const headers = Object.freeze({
        "Cache-Control": "no-store",
        "x-accel-buffering": null,
        "X-Own": 1,
        "Content-Type": "text/event-stream; charset=utf-8",
        "Content-Length": 5,
      });
      const { client } = await open({ headers });
      expect(client.headers).toMatchObject({
        "cache-control": "no-store",
        "x-own": "1",
        "content-type": "text/event-stream; charset=utf-8",
      });
      expect(client.headers).not.toHaveProperty("x-accel-buffering");
      expect(client.headers).not.toHaveProperty("content-length");
    });

    test.each(["*/*", "text/html, text/event-stream", "text/html", "application/json"])(
      "rule 20: accept %s is not refused",
      async (accept) => {
        expect((await open({}, { headers: { accept } })).client.status).toBe(200);
      },
    );

    test("rule 20: negotiate answers 406 to clients that do not accept event streams", async () => {
      const { client, source } = await open({ negotiate: true }, { headers: { accept: "text/html" } });
      await client.rest();
      expect([client.status, source.readyState]).toEqual([406, 2]);
      expect(client.headers["content-type"]).toMatch(/^text\/plain/);
      expect(client.body.toString()).toContain("text/event-stream");
    });

    test.each(["before", "after"])(
      "rule 20: a POST lives on whose body was read %s, and its end is seen",
      async (when) => {
        let body = "";
        const {
          client,
          source,
          exchange: one,
        } = await exchange({ method: "POST", body: "hello" }, async (post) => {
          if (when === "before") body = await post.readBody();
          const source = post.open();
          if (when === "after") body = await post.readBody();
          return source;
        });
        expect(body).toBe("hello");
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
        expect(source.dispatch("t", 1)).toBe(true);
        expect((await client.next()).data).toBe("1");
        const reasons = reasonOf(source);
        client.leave();
        await one.left;
        expect([source.readyState, reasons]).toEqual([2, ["disconnected"]]);
      },
    );

    test("rule 22: cors names who may read, and OPTIONS is answered", async () => {
      const headers = { origin: "https://a.example" };
      const cors = ["https://a.example"];
      const get = await open({ cors }, { headers });
      expect(get.client.headers).toMatchObject({
        "access-control-allow-origin": "https://a.example",
        vary: expect.stringMatching(/^Origin\b/),
      });
      const { client, source } = await exchange({ method: "OPTIONS", headers }, ({ open }) => open({ cors }));
      await client.until(() => client.status !== 0);
      expect([client.status, source.readyState]).toEqual([204, 2]);
      expect(client.headers["access-control-allow-headers"]).toBe(
        "Last-Event-ID, Authorization, Cache-Control, Content-Type",
      );
    });
  });

  describe("delivery", () => {
    test("events arrive in order, with everything they carry, when they are dispatched", async () => {
      const { client, source } = await open();
      for (let n = 0; n < 100; n++) {
        expect(source.dispatch("tick", { n }, { id: n })).toBe(true);
        expect(await client.next()).toEqual({ type: "tick", data: `{"n":${n}}`, lastEventId: String(n) });
      }
    });

    test("events of one tick arrive in one piece", async () => {
      const { client, source } = await open();
      const before = client.pieces.length;
      for (let n = 0; n < 100; n++) source.dispatch("t", n);
      await client.until(() => client.parser.events.length === 100);
      expect(client.pieces.length - before).toBe(1);
    });

    test("events dispatched in the tick of opening and closing arrive", async () => {
      const { client, source } = await exchange({}, ({ open }) => {
        const source = open();
        source.dispatch("only", 1);
        void source.close();
        return source;
      });
      expect(source.dispatch("late")).toBe(false);
      expect(await client.rest()).toBe("end");
      expect(client.parser.events.map((event) => event.type)).toEqual(["only"]);
    });

    test("HEAD gets the header and no body", async () => {
      const { client, source } = await exchange({ method: "HEAD" });
      await client.until(() => client.status !== 0);
      expect([client.status, client.headers["content-type"], source.readyState]).toEqual([200, "text/event-stream", 2]);
      expect(client.body).toHaveLength(0);
    });

    test.each(["PUT", "DELETE", "OPTIONS"])("%s opens no stream and is told the methods that do", async (method) => {
      const { client, source } = await exchange({ method });
      await client.until(() => client.status !== 0);
      expect([client.status, source.readyState]).toEqual([method === "OPTIONS" ? 204 : 405, 2]);
      expect(client.headers.allow).toBe("GET, HEAD, POST, QUERY, OPTIONS");
    });

    test("url has the scheme, the host and the path that were asked for", async () => {
      const { source } = await open({}, { path: "/a/b?c=d" });
      expect(source.url).toMatch(/^http:\/\/127\.0\.0\.1(:\d+)?\/a\/b\?c=d$/);
    });
  });

  describe("bufferedAmount", () => {
    test("counts from dispatch to the socket: before the flush, while stalled, after the drain", async () => {
      const { client, source } = await open({ maxBufferedBytes: "64mb" });
      await settled(() => source.bufferedAmount === 0);
      source.dispatch("t", "x");
      expect(source.bufferedAmount).toBe("event: t\ndata: x\n\n".length);
      await client.next();
      await settled(() => source.bufferedAmount === 0);
      client.pause();
      const drained = new Promise((resolve) => source.addEventListener("drain", resolve, { once: true }));
      let sent = 0;
      // As much as the kernel's buffers hold, and then some.
      while (source.bufferedAmount < 1_000_000 && sent < 32_000) {
        for (let n = 0; n < 256; n++) source.dispatch("t", kilobyte);
        sent += 256;
        await new Promise((resolve) => setImmediate(resolve));
      }
      const stalled = source.bufferedAmount;
      expect(stalled).toBeGreaterThanOrEqual(1_000_000);
      source.dispatch("t", kilobyte);
      expect(source.bufferedAmount).toBeGreaterThan(stalled);
      client.resume();
      await drained;
      await client.until(() => client.parser.events.length === sent + 2);
      await settled(() => source.bufferedAmount === 0);
    });
  });

  describe("a reader that stalls", () => {
    test("is closed as overflow at the limit; what it gets before has no half events", async () => {
      const { client, source } = await open({ maxBufferedBytes: "256kb" });
      const reasons = reasonOf(source);
      client.pause();
      for (let n = 0; source.readyState === 1 && n < 64_000; n++) {
        source.dispatch("t", kilobyte);
        if (n % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(reasons).toEqual(["overflow"]);
      client.resume();
      expect(await client.rest()).toBe("end");
      expect(client.parser.complete).toBe(true);
    });

    test("with drop: what was dropped is declared, and delivered + declared is all", async () => {
      const { client, source } = await open({ maxBufferedBytes: "256kb", onOverflow: "drop" });
      client.pause();
      let all = 0;
      while (source.dropped < 100 && all < 64_000) {
        source.dispatch("t", kilobyte);
        if (++all % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(source.bufferedAmount).toBeLessThanOrEqual(300 * 1_024);
      client.resume();
      await settled(() => source.bufferedAmount === 0);
      source.dispatch("last");
      await client.until(() => client.parser.events.at(-1)?.type === "last");
      const delivered = client.parser.events.filter((event) => event.type === "t").length;
      const declared = client.parser.events
        .filter((event) => event.type === "sse:gap")
        .reduce((sum, event) => sum + JSON.parse(event.data).missed, 0);
      expect(declared).toBe(source.dropped);
      expect(delivered + declared).toBe(all);
    });

    test("stops the producer of a pipe, which continues when it reads, and is returned when it leaves", async () => {
      const { client, source, exchange: one } = await open();
      client.pause();
      let produced = 0;
      let returned = false;
      const piping = source.pipe(
        (async function* () {
          try {
            for (;;) {
              produced++;
              yield kilobyte.repeat(16);
            }
          } finally {
            returned = true;
          }
        })(),
      );
      const stalled = async () => {
        for (let before = -1; before !== produced; ) {
          before = produced;
          for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
        }
        return produced;
      };
      const first = await stalled();
      client.resume();
      await settled(() => produced > first + 10);
      client.leave();
      expect(await piping).toMatchObject({ ended: "closed", reason: "disconnected" });
      await one.left;
      await settled(() => returned);
    });
  });

  describe("knowing that the client left", () => {
    test("the connection goes away: closed once, as disconnected, and dispatch returns false", async () => {
      const { client, source, exchange: one } = await open();
      const reasons = reasonOf(source);
      client.leave();
      await one.left;
      await settled(() => source.readyState === 2);
      expect(source.dispatch("t")).toBe(false);
      await source.close();
      expect([reasons, source.closeReason, source.signal.reason]).toEqual([
        ["disconnected"],
        "disconnected",
        "disconnected",
      ]);
    });

    test("while events are under way to it", async () => {
      const { client, source } = await open({ maxBufferedBytes: "1gb" });
      const reasons = reasonOf(source);
      client.pause();
      for (let n = 0; n < 4_000; n++) source.dispatch("t", kilobyte);
      client.leave();
      while (source.dispatch("t", "x")) await new Promise((resolve) => setImmediate(resolve));
      expect([reasons, source.bufferedAmount]).toEqual([["disconnected"], 0]);
    });

    test("during an await before the source was made: it is closed, not a zombie", async () => {
      const arrived = Promise.withResolvers<void>();
      const { client, routed } = await begin({}, async ({ open, left }) => {
        arrived.resolve();
        await left;
        return open();
      });
      await arrived.promise;
      client.leave();
      const { source } = await routed;
      expect([source.readyState, source.closeReason, source.dispatch("t")]).toEqual([2, "disconnected", false]);
    });

    test("the application closes first: the reason stays, however the client ends", async () => {
      const { client, source, exchange: one } = await open();
      const reasons = reasonOf(source);
      await source.close("enough");
      client.leave();
      await one.left;
      expect(reasons).toEqual(["enough"]);
    });

    test("close() ends the stream properly and resolves", async () => {
      const { client, source } = await open();
      await source.close();
      expect(await client.rest()).toBe("end");
    });

    test("many that come and go leave nothing behind", async () => {
      const sources: EventSource[] = [];
      for (let n = 0; n < 20; n++) {
        const { client, source } = await open();
        sources.push(source);
        if (n % 2 === 0) client.leave();
        else void source.close();
      }
      await settled(() => sources.every((source) => source.readyState === 2));
    });
  });
}

/**
 * Waits for turns of the event loop until `condition` holds; the deadline of the test ends a wait that never succeeds.
 */
async function settled(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
