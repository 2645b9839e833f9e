/** The errors and warnings for setups that cannot work, in the frameworks themselves. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Http1Client } from "../support/client.ts";
import { eventually } from "../support/deadline.ts";
import { type InstallOptions, installExample } from "../support/example.ts";
import { root } from "../support/package.ts";
import type { ServerProcess } from "../support/server-process.ts";

const program = join(root, "test/frameworks/fixtures/wiring.mjs");

/** A server of the mistakes, for the tests of one `describe`. */
function serverOf(framework: string, options: InstallOptions = {}) {
  let server: ServerProcess;
  beforeAll(async () => {
    const example = await installExample(framework, { ...options, copy: "wiring", files: [program] });
    server = await example.start(["wiring.mjs", framework]);
  }, 300_000);
  afterAll(() => server?.stop("SIGKILL"));
  let said = "";
  return {
    async get(path: string): Promise<{ status: number; text: string }> {
      const response = await fetch(server.origin + path, { headers: { connection: "close" } });
      return { status: response.status, text: await response.text() };
    },
    open: (path: string) => new Http1Client(server.port, { path }),
    /** All that it printed, once that has `words`. */
    async says(words: string): Promise<string> {
      return eventually(
        `it says ${words}`,
        async () => (said += server.newOutput()),
        (text) => text.includes(words),
      );
    },
  };
}

describe.each<[number, InstallOptions]>([
  [5, {}],
  [4, { versions: { express: "4.22.3" } }],
])("Express %d", (version, options) => {
  const { get, open, says } = serverOf("express", options);

  test.each([
    ["a request given to EventSource", "/request", "use openEventSource(req, res) from sourcecast/node"],
    ["a Response that is sent", "/sent", "call openEventSource(req, res) of sourcecast/node"],
    ["a Response inside of JSON", "/json", "call openEventSource(req, res) of sourcecast/node"],
    ["a Response given to openEventSource", "/response", "a web Response is for routes that return one"],
    [
      "a Response given to attach",
      "/attached",
      "attach() takes the response of node:http, but got an instance of Response",
    ],
  ])("%s is an error that says what to do", async (_, path, words) => {
    expect(await get(path)).toEqual({ status: 500, text: expect.stringContaining(words) });
  });

  test("a source after a response that was sent is an error, and the response stays", async () => {
    expect(await get("/after")).toEqual({ status: 200, text: "sent" });
  });

  test("a stream that the handler ends itself is noticed", async () => {
    await get("/ended");
    expect(await says("for /ended was ended")).toContain("by a caller other than its EventSource");
  });

  // It takes ten seconds: once is enough.
  test.runIf(version === 5)("a Response that is returned, which Express does not look at, is noticed", async () => {
    const client = open("/returned");
    expect(await says("its response is not read")).toMatch(
      /an EventSource for \/events was created 10 s ago.*openEventSource\(req, res\) of sourcecast\/node/,
    );
    client.leave();
  });
});

describe("Koa", () => {
  const { get, open, says } = serverOf("koa");

  test.each([
    ["its own request given to EventSource", "/request", "use openEventSource(req, res) from sourcecast/node"],
    ["its context given to openEventSource", "/context", "from a context of Koa pass ctx.req and ctx.res"],
  ])("%s is an error that says what to do", async (_, path, words) => {
    expect(await get(path)).toEqual({ status: 500, text: expect.stringContaining(words) });
  });

  test("a stream that Koa ends, since it was not told that the response is not its own, is noticed", async () => {
    await get("/ended");
    expect(await says("for /ended was ended")).toContain("in Koa set ctx.respond = false");
  });

  test("a Response as its body is served", async () => {
    const client = open("/sent");
    expect((await client.next()).data).toBe("fine");
    client.leave();
  });
});

describe("Fastify", () => {
  const { get, open } = serverOf("fastify");

  test.each([
    ["its own request given to EventSource", "/request", "use openEventSource(request, reply) from sourcecast/fastify"],
    ["its reply given to openEventSource of Node", "/reply", "for a reply of Fastify use sourcecast/fastify"],
  ])("%s is an error that says what to do", async (_, path, words) => {
    expect(await get(path)).toEqual({ status: 500, text: expect.stringContaining(words) });
  });

  test("a Response that is sent is served", async () => {
    const client = open("/sent");
    expect((await client.next()).data).toBe("fine");
    client.leave();
  });
});

describe("Nest on Express", () => {
  const { open } = serverOf("nest");

  test("a Response that a handler returns is served", async () => {
    const client = open("/sent");
    expect((await client.next()).data).toBe("fine");
    client.leave();
  });
});
