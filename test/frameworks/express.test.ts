import { serveSuite } from "../contracts/serving-suite.ts";
import { startFixture } from "../support/fixture.ts";

serveSuite("Express 5", () => startFixture("express"));
serveSuite("Express 4", () => startFixture("express", { versions: { express: "4.22.3" } }));
