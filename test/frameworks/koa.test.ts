import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { startExample, startFixture } from "../support/fixture.ts";

serveSuite("Koa 3", () => startFixture("koa"));
exampleSuite("Koa", () => startExample("koa"));
