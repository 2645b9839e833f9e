import { serveSuite } from "../contracts/serve.ts";
import { startFixture } from "../support/fixture.ts";

serveSuite("Hono on Node", () => startFixture("hono"));
