import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { builtFixture } from "../support/fixture.ts";

const start = builtFixture("astro");
serveSuite("Astro 7", start, {
  except: { "memory is bounded for a client that does not read": "Astro's Node server ignores backpressure" },
});
exampleSuite("Astro", start);
