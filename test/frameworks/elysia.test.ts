import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { startExample, startFixture } from "../support/fixture.ts";
import { bun } from "../support/runtimes.ts";

serveSuite("Elysia on Bun", () => startFixture("elysia", { program: bun }));
exampleSuite("Elysia", () => startExample("elysia"));
