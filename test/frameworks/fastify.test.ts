import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { Http1Client } from "../support/client.ts";
import { startExample, startFixture } from "../support/fixture.ts";
import type { ServerProcess } from "../support/server-process.ts";

serveSuite("Fastify 5", () => startFixture("fastify"));
exampleSuite("Fastify", () => startExample("fastify"));

describe("Fastify", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startFixture("fastify");
  }, 300_000);
  afterAll(() => server?.stop());

  test.each(["/count", "/hub"])("headers that its hooks set are those of %s too", async (path) => {
    const client = await new Http1Client(server.port, { path }).opened();
    expect(client.headers).toMatchObject({ "x-hook": "ran", vary: "Origin", "set-cookie": "a=1, b=2" });
    expect(client.headers["content-type"]).toBe("text/event-stream");
    client.leave();
  });

  test("a value that a handler returns in addition to its stream is not sent", async () => {
    const client = new Http1Client(server.port, { path: "/returned" });
    expect((await client.next()).data).toBe("after the handler");
    client.leave();
    expect(server.newOutput()).toBe("");
  });

  test("a handler that passes on what is Node's is told where that goes", async () => {
    const answer = await fetch(`${server.origin}/wrong`, { headers: { connection: "close" } });
    expect(answer.status).toBe(500);
    expect(await answer.text()).toContain("use sourcecast/node");
  });

  test("a reply that was sent already is refused", async () => {
    const headers = { connection: "close" };
    expect(await (await fetch(`${server.origin}/again`, { headers })).text()).toBe("sent");
    expect(await (await fetch(`${server.origin}/again/answer`, { headers })).text()).toBe("ERR_SSE_RESPONSE_USED");
  });
});
