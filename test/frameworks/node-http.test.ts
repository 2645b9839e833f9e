import { serveSuite } from "../contracts/serve.ts";
import { startFixture } from "../support/fixture.ts";

serveSuite("node:http", () => startFixture("node-http"));
