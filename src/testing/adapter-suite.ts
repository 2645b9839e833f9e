// The serving suite: what every adapter of event streams does, as tests over real connections.
import assert from "node:assert/strict";
import { aCount, aFunction, checkOptions, type OptionChecks } from "../base/options.ts";
import type { EventSource } from "../source/source.ts";
import { AdapterContext, type AdapterRoute } from "./adapter-context.ts";

/** The options of {@link testAdapter}. */
export interface AdapterSuiteOptions {
  /** The `test` of Vitest, of `node:test`, of Bun, or of another framework of that form. */
  test: (name: string, run: () => Promise<void>) => unknown;
  /**
   * Starts a server on a free port of this machine, in which a request of any method to any path goes to `handle`, with the
   * adapter's own ways to open a stream.
   */
  start: (handle: AdapterHandler) => AdapterServer | Promise<AdapterServer>;
  /** How long one test may take, in milliseconds. @default 10_000 */
  deadline?: number;
}

/** The suite's own handler. The route waits for its promise. If it rejects, the framework has to respond. */
export type AdapterHandler = (path: string, route: AdapterRoute) => Promise<void>;

/** A server under test. */
export interface AdapterServer {
  /** Where it listens: `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Stops the server. */
  close(): unknown;
}

/**
 * The behavior of an adapter as tests: status and header, order and arrival of events, positions, backpressure, every way in
 * which a stream ends. It does not depend on a test framework.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option.
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { test } from "node:test";
 * import { openEventSource, respond } from "sourcecast/node";
 * import { testAdapter } from "sourcecast/testing";
 *
 * testAdapter({
 *   test,
 *   async start(handle) {
 *     const server = createServer((req, res) => {
 *       handle(req.url ?? "/", {
 *         open: (options) => openEventSource(req, res, options),
 *         respond: (hub, options) => respond(hub, req, res, options),
 *       }).catch(() => res.writeHead(500).end());
 *     });
 *     await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
 *     const { port } = server.address() as { port: number };
 *     return {
 *       url: `http://127.0.0.1:${port}`,
 *       close() {
 *         server.closeAllConnections();
 *         server.close();
 *       },
 *     };
 *   },
 * });
 * ```
 */
export function testAdapter(options: AdapterSuiteOptions): void {
  checkOptions(options ?? {}, suiteChecks, "testAdapter()");
  // Required, while the checks treat an option that is absent as valid.
  for (const name of ["test", "start"] as const) suiteChecks[name](options?.[name], name);
  const { test, start, deadline = 10_000 } = options;
  for (const [name, scenario] of Object.entries(scenarios)) {
    test(`adapter: ${name}`, async () => {
      const context = new AdapterContext(AbortSignal.timeout(deadline));
      const server = await start((path, route) => context.handle(path, route));
      context.url = server.url;
      try {
        await scenario(context);
      } finally {
        // Clients first: some servers wait for their open connections when they close.
        await context.close();
        await server.close();
      }
    });
  }
}

const suiteChecks: OptionChecks<AdapterSuiteOptions> = { test: aFunction, start: aFunction, deadline: aCount(1) };

/**
 * Each scenario has a server of its own, so a stream that one leaves open cannot change the result of another. The
 * name is a sentence about every adapter.
 */
const scenarios: Readonly<Record<string, (context: AdapterContext) => Promise<void>>> = {
  "status, header and first bytes arrive before any event": async ({ route, connect }) => {
    route(({ open }) => void open());
    const client = await connect();
    assert.equal(client.status, 200);
    assert.match(client.header("content-type"), /^text\/event-stream(; ?charset=utf-8)?$/i);
    assert.match(client.header("cache-control"), /no-cache/);
    // A length of any kind would make clients stop reading there.
    assert.equal(client.headers.get("content-length"), null);
    await client.until(() => client.retry !== undefined);
  },

  "events arrive whole and in order, of any size and language": async ({ route, connect }) => {
    // Line breaks must become lines of `data`, a leading space must survive the parser, and 1 MiB arrives in many
    // pieces.
    const texts = ["one", "", "two\nlines\r\nand a third", " a space before", "Grüße, 世界 🌍", "x".repeat(1024 ** 2)];
    route(({ open }) => {
      const source = open();
      for (const [id, text] of texts.entries()) source.dispatch("text", text, { id });
    });
    const client = await connect();
    for (const [id, text] of texts.entries()) {
      const event = await client.next();
      assert.deepEqual([event.type, event.lastEventId], ["text", String(id)]);
      assert.equal(event.data, text.replace(/\r\n/g, "\n"));
    }
  },

  "an event leaves when it is dispatched, not with the next one": async ({ route, connect }) => {
    let source: EventSource | undefined;
    route(({ open }) => {
      source = open();
    });
    const client = await connect();
    // Each event waits for the one before it to arrive: a framework that buffers until a chunk is full never gets
    // there.
    for (let n = 0; n < 5; n++) {
      source?.dispatch("n", n);
      assert.equal((await client.next()).data, String(n));
    }
  },

  "headers of the options are added, replace defaults and remove them": async ({ route, connect }) => {
    route(({ open }) => {
      // One header that is new, one that replaces a default, and one that removes a default.
      open({ headers: { "x-own": "yes", "cache-control": "no-store", "x-content-type-options": null } });
    });
    const client = await connect();
    assert.equal(client.header("x-own"), "yes");
    assert.equal(client.header("cache-control"), "no-store");
    assert.equal(client.headers.get("x-content-type-options"), null);
  },

  "the last event id is read from the header and from the query": async ({ route, connect }) => {
    route(({ open }) => {
      const source = open();
      source.dispatchMessage(source.lastEventId);
    });
    assert.equal((await (await connect({ lastEventId: "41" })).next()).data, "41");
    assert.equal((await (await connect({ path: "/?lastEventId=42" })).next()).data, "42");
  },

  "a subscription resumes after the last event that its client received": async ({ route, connect, hub }) => {
    const { news, live } = hub();
    route(({ respond }, { hub }) => respond(hub, { channels: ["news"] }));
    const first = await connect();
    await live();
    for (let n = 1; n <= 3; n++) await news.dispatch("n", n);
    assert.equal((await first.nextPublished()).data, "1");
    const { data, lastEventId } = await first.nextPublished();
    assert.equal(data, "2");
    // It has received the second event, and the third one is on its way or in the log.
    first.leave();
    const again = await connect({ lastEventId });
    assert.equal((await again.nextPublished()).data, "3");
  },

  "HEAD gets the header of the stream, and opens none": async ({ route, connect, closes }) => {
    route(({ open }) => void open());
    const client = await connect({ method: "HEAD" });
    assert.equal(client.status, 200);
    assert.match(client.header("content-type"), /^text\/event-stream/);
    // The source is there for the handler, which need not know of `HEAD`, and is closed from the start.
    assert.equal(await closes(), "head");
  },

  "a client that leaves is noticed, whether or not it received an event": async ({ route, connect, closes }) => {
    route(({ open }) => {
      // Where a runtime does not report a closed connection, the next keep-alive finds it.
      open({ keepAlive: 50 }).dispatch("n", 1);
    });
    const client = await connect();
    client.leave();
    assert.equal(await closes(), "disconnected");
    const reader = await connect();
    await reader.next();
    reader.leave();
    assert.equal(await closes(), "disconnected");
  },

  "the end of the request's body is not the end of its client": async ({ route, connect }) => {
    let source: EventSource | undefined;
    route(({ open }) => {
      source = open();
    });
    const client = await connect({ method: "POST", body: JSON.stringify({ question: "?" }) });
    await client.until(() => client.retry !== undefined);
    for (let n = 0; n < 3; n++) {
      // After the whole body was read: a sink that listens to the request would have closed by now.
      source?.dispatch("n", n);
      assert.equal((await client.next()).data, String(n));
    }
    assert.equal(client.ended, false);
  },

  "close() sends what was dispatched, then ends the response properly": async ({ route, connect, closes }) => {
    route(({ open }) => {
      const source = open();
      source.dispatch("n", 1);
      source.dispatch("n", 2);
      source.close();
    });
    const client = await connect();
    assert.deepEqual([(await client.next()).data, (await client.next()).data], ["1", "2"]);
    await client.end();
    // A response that is cut looks like a lost connection to the client, which reconnects at once.
    assert.equal(client.failed, false);
    assert.equal(await closes(), "closed");
  },

  "a client that does not read is bounded": async ({ route, connect, closes }) => {
    route(({ open }) => {
      const source = open();
      const flood = (): void => {
        // A turn for each dispatch: the adapter must see the backpressure of the connection in between.
        if (source.dispatch("flood", "x".repeat(64 * 1024))) setTimeout(flood, 0);
      };
      flood();
    });
    await connect({ reads: false });
    assert.equal(await closes(), "overflow");
  },

  "an error before the stream is the framework's to answer": async ({ route, connect }) => {
    route(() => {
      throw new Error("Thrown before the stream");
    });
    const client = await connect();
    // Frameworks answer an error with different statuses. A stream that opened with 200 would conceal it.
    assert.ok(client.status >= 400, `the status is ${client.status}`);
  },
};
