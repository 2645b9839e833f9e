/** Frameworks whose own middleware compresses all that it can: streams pass it at once, or it stays out of their way. */
import { describe, expect, test } from "vitest";
import { serveSuite } from "../contracts/serving-suite.ts";
import { type ClientRequest, Http1Client } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { startFixture } from "../support/fixture.ts";
import type { ServerProcess } from "../support/server-process.ts";

const env = { COMPRESS: "yes" };
const frameworks: [string, () => Promise<ServerProcess>][] = [
  ["Fastify", () => startFixture("fastify", { env, packages: { "@fastify/compress": "9.2.0" } })],
  ["Hono", () => startFixture("hono", { env, copy: "compression" })],
  ["Koa", () => startFixture("koa", { env, packages: { "koa-compress": "5.2.2" } })],
];

const gzip = { "accept-encoding": "gzip" };
const isReport = (path: string): boolean => ["/state", "/reset", "/publish-three", "/release"].includes(path);
/** Reports are for the suite to read. */
const connect = (port: number, { path = "/", ...request }: ClientRequest): Http1Client =>
  new Http1Client(
    port,
    isReport(path) ? { path, ...request } : { path, ...request, headers: { ...gzip, ...request.headers } },
  );

describe.each(frameworks)("%s", (name, start) => {
  test("its middleware compresses a page, and leaves streams as they are", async () => {
    await using server = await start();
    const page = new Http1Client(server.port, { path: "/page", headers: { ...gzip, connection: "close" } });
    // The second says nothing about transformations.
    const streams = ["/count", "/headers"].map((path) => new Http1Client(server.port, { path, headers: gzip }));
    await within(10_000, "all", Promise.all([page.rest(), ...streams.map((stream) => stream.opened())]));
    expect(page.headers["content-encoding"]).toBe("gzip");
    for (const stream of streams) {
      expect(stream.headers["content-type"]).toBe("text/event-stream");
      expect(stream.headers["content-encoding"]).toBeUndefined();
      stream.leave();
    }
  });

  serveSuite(`${name} that compresses`, start, { connect, recorded: false });
});
