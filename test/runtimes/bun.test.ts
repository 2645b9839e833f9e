import { join } from "node:path";
import { expect, test } from "vitest";
import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { Http1Client, Http2Client } from "../support/client.ts";
import { startExample, startFixture } from "../support/fixture.ts";
import { runQuietly } from "../support/run.ts";
import { bun } from "../support/runtimes.ts";
import { exceptions } from "./exceptions.ts";
import { unitSuite, withProgram } from "./unit.ts";

unitSuite("Bun", withProgram(bun), exceptions.Bun);
serveSuite("Bun.serve", () => startFixture("bun", { program: bun }));
serveSuite("node:http on Bun", () => startFixture("node-http", { program: bun }));
serveSuite("node:http2 on Bun", () => startFixture("node-http2", { program: bun }), {
  connect: (port, request) => new Http2Client(port, request),
});
// Which takes twelve seconds for ten.
test("a quiet stream lasts longer than the ten seconds after which Bun.serve closes a silent connection", async () => {
  await using server = await startFixture("bun", { program: bun });
  const client = await new Http1Client(server.port, { path: "/silent" }).opened();
  await new Promise((resolve) => setTimeout(resolve, 14_000));
  expect(client.ended).toBeNull();
  expect(client.parser.comments).toHaveLength(2);
  client.leave();
  expect(server.newOutput()).toBe("");
});

exampleSuite("Bun", () => startExample("bun"));

test("the log on SQLite keeps its contract on Bun, with bun:sqlite", async () => {
  const output = await runQuietly(bun, [join(import.meta.dirname, "fixtures/sqlite.ts")]);
  const { tests, failed } = JSON.parse(output);
  expect(failed).toEqual([]);
  expect(tests).toBeGreaterThan(40);
});
