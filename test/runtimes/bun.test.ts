import { join } from "node:path";
import { expect, test } from "vitest";
import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serve.ts";
import { Http2Client } from "../support/client.ts";
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
exampleSuite("Bun", () => startExample("bun"));

test("the log on SQLite keeps its contract on Bun, with bun:sqlite", async () => {
  const output = await runQuietly(bun, [join(import.meta.dirname, "fixtures/sqlite.ts")]);
  const { tests, failed } = JSON.parse(output);
  expect(failed).toEqual([]);
  expect(tests).toBeGreaterThan(40);
});
