import { join } from "node:path";
import { expect, test } from "vitest";
import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { Http2Client } from "../support/client.ts";
import { installExample } from "../support/example.ts";
import { startFixture } from "../support/fixture.ts";
import { runQuietly } from "../support/run.ts";
import { deno } from "../support/runtimes.ts";
import { exceptions } from "./exceptions.ts";
import { type RunModules, unitSuite, withProgram } from "./unit.ts";

const runModules: RunModules = async (...args) => withProgram(await deno(), ["run", "--allow-all"])(...args);
unitSuite("Deno", runModules, exceptions.Deno);

const program = async () => ({ program: await deno(), args: ["run", "--allow-all"] });

// Deno warns once per process that it aborts the signal of every request, not only of those whose client disconnected.
const notice = /^Deno\.serve: request\.signal aborts on successful responses/;
serveSuite("Deno.serve", async () => startFixture("deno", await program()), { log: notice });
serveSuite("Deno.serve, HTTP/2", async () => startFixture("deno", await program()), {
  connect: (port, request) => new Http2Client(port, request),
  log: notice,
});
serveSuite("node:http on Deno", async () => startFixture("node-http", await program()));
serveSuite("node:http2 on Deno", async () => startFixture("node-http2", await program()), {
  connect: (port, request) => new Http2Client(port, request),
});

exampleSuite("Deno", async () => {
  const example = await installExample("deno");
  const [, ...script] = (example.scripts.start ?? "").split(" ");
  return example.start(script, { program: await deno() });
});

test("the log on SQLite keeps its contract on Deno, with node:sqlite", async () => {
  const output = await runQuietly(await deno(), [
    "run",
    "--allow-all",
    join(import.meta.dirname, "fixtures/sqlite.ts"),
  ]);
  const { tests, failed } = JSON.parse(output);
  expect(failed).toEqual([]);
  expect(tests).toBeGreaterThan(40);
});

test("sources and hubs ask Deno for no permission", async () => {
  const program = join(import.meta.dirname, "fixtures/deno-permissions.ts");
  const output = await runQuietly(await deno(), ["run", "--no-prompt", program]);
  expect(output.match(/^200 : keep-alive \d+$/gm)).toEqual(["200 : keep-alive 30000", "200 : keep-alive 15000"]);
});
