import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serve.ts";
import { startExample, startFixture } from "../support/fixture.ts";

serveSuite("Hono on Node", () => startFixture("hono"));
exampleSuite("Hono", () => startExample("hono"));
