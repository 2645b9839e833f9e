import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { startExample, startFixture } from "../support/fixture.ts";
import { bun, deno } from "../support/runtimes.ts";

serveSuite("Hono on Node", () => startFixture("hono"));
serveSuite("Hono on Bun", () => startFixture("hono", { program: bun }));
// Without the second option, Deno warns that it aborts the signal of every request, not only of those whose client
// disconnected.
const denoArgs = ["run", "--allow-all", "--unstable-no-legacy-abort"];
serveSuite("Hono on Deno", async () => startFixture("hono", { program: await deno(), args: denoArgs }));
exampleSuite("Hono", () => startExample("hono"));
