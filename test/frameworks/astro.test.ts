import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serve.ts";
import { builtFixture } from "../support/fixture.ts";

const start = builtFixture("astro");
serveSuite("Astro 7", start, {
  except: { "a reader that does not read is bounded": "Astro's server for Node writes on, whatever the response says" },
});
exampleSuite("Astro", start);
