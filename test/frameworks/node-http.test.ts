import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { startExample, startFixture } from "../support/fixture.ts";

serveSuite("node:http", () => startFixture("node-http"));
exampleSuite("node:http", () => startExample("node-http"));
