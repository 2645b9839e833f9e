import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { builtFixture } from "../support/fixture.ts";

const aborted = "srvx 0.8, which Nitro 3.0.0 uses, aborts the request's signal once its body has been read";

const start = builtFixture("nitro");
serveSuite("Nitro 3", start, {
  exit: [0],
  except: {
    "the end of a request's body does not end the stream": aborted,
    "a client that disconnects after sending a body is noticed": aborted,
  },
});
exampleSuite("Nitro", start);
