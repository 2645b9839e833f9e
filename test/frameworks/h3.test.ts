import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { startExample, startFixture } from "../support/fixture.ts";

serveSuite("h3 on Node", () => startFixture("h3"), { exit: [0] });
exampleSuite("h3", () => startExample("h3"), { atTheEnd: /Server closed successfully/ });
