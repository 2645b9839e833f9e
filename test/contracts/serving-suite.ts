/**
 * The meaning of serving event streams, for every framework and runtime: run against a server of the scenarios in
 * test/frameworks/fixtures/scenarios.mjs. A framework joins with a test file of a few lines.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Client, type ClientRequest, Http1Client } from "../support/client.ts";
import { eventually, within } from "../support/deadline.ts";
import { root } from "../support/package.ts";
import type { ServerProcess } from "../support/server-process.ts";

export interface ServeOptions {
  /** The status of the framework's own error page, for an error that a handler throws. @default 500 */
  errorStatus?: number;
  /** How it may end after SIGTERM. @default by the signal */
  exit?: readonly (number | NodeJS.Signals)[];
  /** The line that it prints for every request. @default nothing */
  log?: RegExp;
  /** Makes a client of another protocol. @default one of HTTP/1.1 */
  connect?: (port: number, request: ClientRequest) => Client;
  /** Tests that cannot pass, by their names, with the reason: the framework's, not the package's. */
  except?: Record<string, string>;
  /** Fields of the header that end before they come to the client. @default none */
  hidden?: readonly string[];
  /** Whether it is of the README's table. @default true */
  recorded?: boolean;
}

/** The server under test: a process, or one with something in front. */
export type Served = Pick<ServerProcess, "port" | "cwd" | "newOutput" | "newOutputBefore" | "stop">;

/** The answer of /state. */
interface State {
  open: number;
  closed: string[];
  errors: string[];
  waiting: number;
  subscribers: number;
  listeners: number;
  sockets: number;
  timers: number;
}

/** The suite. `start` starts a new server under test. */
export function serveSuite(name: string, start: () => Promise<Served>, options: ServeOptions = {}): void {
  describe(`serving with ${name}`, () => {
    let server: Served;
    let before: State;
    const clients: Client[] = [];
    let mayPrint = false;
    /** Scenarios that are not excepted, and those of them that passed. */
    const count = { all: 0, passed: 0 };
    const connect = options.connect ?? ((port, request) => new Http1Client(port, request));

    beforeAll(async () => {
      server = await start();
      before = await state();
    }, 300_000);

    afterAll(() => server?.stop());

    afterEach(async () => {
      for (const client of clients.splice(0)) client.leave();
      await eventually("no stream is left open", state, (now) => now.open === 0 && now.subscribers === 0);
      await report("/reset");
      const output = await server.newOutputBefore("-- reset --");
      if (!mayPrint) expect(besideLog(output), "printed during the test").toBe("");
      mayPrint = false;
    });

    function besideLog(output: string): string {
      const lines = output.split("\n");
      return lines.filter((line) => line !== "" && !options.log?.test(line)).join("\n");
    }

    function open(path: string, request: ClientRequest = {}): Client {
      const client = connect(server.port, { path, ...request });
      clients.push(client);
      return client;
    }

    async function report<T>(path: string): Promise<T> {
      const client = connect(server.port, { path });
      try {
        await client.rest();
        return JSON.parse(client.body.toString()) as T;
      } finally {
        client.leave();
      }
    }

    function state(): Promise<State> {
      return report<State>("/state");
    }

    function scenario(what: string, run: () => Promise<void>): void {
      const reason = options.except?.[what];
      if (reason === undefined) count.all++;
      test.skipIf(reason !== undefined)(reason === undefined ? what : `${what} (${reason})`, async () => {
        await within(30_000, what, run());
        count.passed++;
      });
    }

    scenario("status, header and first byte come at once", async () => {
      const client = await open("/silent").opened();
      expect(client.status).toBe(200);
      expect(client.headers["content-type"]).toMatch(/^text\/event-stream(; ?charset=utf-8)?$/i);
      expect(client.headers["cache-control"]).toContain("no-cache");
      if (!options.hidden?.includes("x-accel-buffering")) expect(client.headers["x-accel-buffering"]).toBe("no");
      expect(client.headers).not.toHaveProperty("content-length");
      await client.until(() => client.parser.retry !== undefined);
      expect(client.ended).toBeNull();
    });

    scenario("ten events in order", async () => {
      const client = open("/count");
      for (let n = 1; n <= 10; n++) {
        expect(await client.next()).toEqual({ type: "count", data: JSON.stringify({ n }), lastEventId: String(n) });
      }
    });

    scenario("events arrive one by one, not in a buffer's own time", async () => {
      const client = open("/ticks");
      for (let n = 1; n <= 5; n++) expect((await client.next()).data).toBe(String(n));
      expect(client.pieces.length).toBeGreaterThan(3);
    });

    scenario("data of several lines and of any language", async () => {
      const client = open("/text");
      expect((await client.next()).data).toBe(
        "first line\nsecond line\n third, with a space before it\n\nafter an empty one",
      );
      expect(await client.next()).toMatchObject({ type: "greeting", data: "Grüße, 世界 🌍" });
      expect(await client.next()).toMatchObject({ type: "message", data: "" });
    });

    scenario("an event of one megabyte", async () => {
      const { data } = await open("/large").next();
      expect(data).toHaveLength(1024 * 1024);
      expect(/^x+$/.test(data)).toBe(true);
    });

    scenario("own headers are added, replace defaults and remove them", async () => {
      const client = await open("/headers").opened();
      expect(client.headers).toMatchObject({ "x-own": "yes", "cache-control": "no-store" });
      expect(client.headers).not.toHaveProperty("x-content-type-options");
      expect(client.headers["content-type"]).toContain("text/event-stream");
    });

    scenario("the last event id comes from the header and from the query", async () => {
      const byHeader = open("/last-event-id", { headers: { "last-event-id": "41" } });
      expect((await byHeader.next()).data).toBe("41");
      const byQuery = open("/last-event-id?lastEventId=42");
      expect((await byQuery.next()).data).toBe("42");
    });

    scenario("a client resumes where it was, by header and by query", async () => {
      const first = await open("/hub").opened();
      await subscribed(1);
      await report("/publish-three");
      const ids: string[] = [];
      while (ids.length < 3) ids.push((await first.nextPublished()).lastEventId);
      expect(new Set(ids).size).toBe(3);
      first.leave();
      await subscribed(0);
      await report("/publish-three");
      const [, second = ""] = ids;
      const expected = ["3", "1", "2", "3"];
      const byHeader = open("/hub", { headers: { "last-event-id": second } });
      const byQuery = open(`/hub?lastEventId=${encodeURIComponent(second)}`);
      for (const client of [byHeader, byQuery]) {
        for (const n of expected)
          expect(await client.nextPublished()).toMatchObject({ type: "headline", data: `{"n":${n}}` });
      }
    });

    scenario("HEAD gets the header, and opens nothing", async () => {
      const client = open("/count", { method: "HEAD" });
      await client.until(() => client.status !== 0);
      expect(client.status).toBe(200);
      expect(client.headers["content-type"]).toContain("text/event-stream");
      const { closed } = await state();
      expect(closed).toEqual(["head at once"]);
      expect(client.body).toHaveLength(0);
    });

    scenario("a client that leaves at once is noticed", async () => {
      (await open("/silent").opened()).leave();
      await left();
    });

    scenario("a client that leaves after an event is noticed", async () => {
      const client = open("/count");
      await client.next();
      client.leave();
      await left();
    });

    scenario("a client that disconnects before the source is created is noticed", async () => {
      const client = open("/slow");
      await eventually("the request waits", state, ({ waiting }) => waiting === 1);
      client.leave();
      await report("/release");
      await eventually("the source is closed", state, ({ closed }) => closed.length === 1);
      const { closed } = await state();
      expect(closed[0]).toMatch(/^disconnected/);
    });

    scenario("the end of a request's body does not end the stream", async () => {
      const client = open("/ticks", { method: "POST", body: JSON.stringify({ question: "?" }), headers: jsonType });
      for (let n = 1; n <= 3; n++) expect((await client.next()).data).toBe(String(n));
      expect(client.ended).toBeNull();
    });

    scenario("a client that disconnects after sending a body is noticed", async () => {
      const client = open("/ticks", { method: "POST", body: JSON.stringify({ question: "?" }), headers: jsonType });
      await client.next();
      client.leave();
      await left();
    });

    scenario("the server closes, and the client gets everything before the end", async () => {
      const client = open("/close");
      expect((await client.next()).data).toBe("one");
      expect((await client.next()).data).toBe("two");
      expect(await client.rest()).toBe("end");
      expect((await state()).closed).toEqual(["closed"]);
    });

    scenario("a producer that fails ends the stream after its last piece, and is reported", async () => {
      const client = open("/fail");
      expect((await client.next()).data).toBe("one");
      expect(await client.rest()).toBe("end");
      expect((await state()).errors).toEqual(["source: The producer failed"]);
    });

    scenario("a failure of a hub ends the stream and reaches onError", async () => {
      const failing = await open("/hub?failing").opened();
      const other = await open("/hub").opened();
      await subscribed(2);
      await report("/publish-three");
      await failing.rest();
      expect((await other.nextPublished()).data).toBe('{"n":1}');
      expect((await state()).errors).toEqual(["filter: The filter failed"]);
    });

    scenario("memory is bounded for a client that does not read", async () => {
      const client = await open("/flood").opened();
      client.pause();
      const { closed } = await eventually("the source is closed", state, (now) => now.closed.length === 1);
      expect(closed).toEqual(["overflow"]);
    });

    scenario("an error before the stream is the framework's own to answer", async () => {
      const client = open("/throw");
      await client.until(() => client.status !== 0);
      expect(client.status).toBe(options.errorStatus ?? 500);
      expect(client.headers["content-type"] ?? "").not.toContain("text/event-stream");
      expect((await state()).open).toBe(0);
      // The framework may print the error in its own way.
      mayPrint = true;
    });

    scenario("nothing is left behind", async () => {
      const now = await eventually(
        "sockets are closed, and handlers of signals gone",
        state,
        ({ sockets, listeners }) => sockets <= before.sockets && listeners === before.listeners,
      );
      expect(now).toMatchObject({ open: 0, waiting: 0 });
      expect(now.timers).toBeLessThanOrEqual(before.timers);
    });

    scenario("a signal ends the streams, then the process", async () => {
      const client = await open("/count").opened();
      const subscriber = await open("/hub").opened();
      const exit = await server.stop("SIGTERM");
      expect(await client.rest()).toBe("end");
      expect(await subscriber.rest()).toBe("end");
      expect(options.exit ?? ["SIGTERM"]).toContain(exit);
      expect(besideLog(server.newOutput()), "printed at the end").toBe("");
      clients.length = 0;
      server = await start();
    });

    // The table in docs/frameworks.md is generated from these records: npm run frameworks.
    test.skipIf(options.recorded === false)("it is what is recorded of it (-u)", async ({ skip }) => {
      if (count.passed < count.all) skip("Not all of the suite was run, or it did not pass");
      const { name: fullName, dependencies, devDependencies } = manifestOf(server);
      const { sourcecast: _, ...packages } = { ...devDependencies, ...dependencies };
      const example = fullName.replace("sourcecast-example-", "");
      const record = { name, example, packages, except: options.except ?? {} };
      const file = `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.json`;
      await expect(`${JSON.stringify(record, null, 2)}\n`).toMatchFileSnapshot(
        join(root, "test/frameworks/results", file),
      );
    });

    async function subscribed(count: number): Promise<void> {
      await eventually(`${count} follow`, state, ({ subscribers }) => subscribers === count);
    }

    async function left(): Promise<void> {
      const { closed } = await eventually("the source is closed", state, (now) => now.closed.length === 1);
      expect(closed).toEqual(["disconnected"]);
    }
  });
}

const jsonType = { "content-type": "application/json" };

interface ExampleManifest {
  name: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

function manifestOf({ cwd }: Served): ExampleManifest {
  return JSON.parse(readFileSync(join(cwd, "package.json"), "utf8"));
}
