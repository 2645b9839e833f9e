import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serve.ts";
import { builtFixture } from "../support/fixture.ts";

const start = builtFixture("react-router");
// react-router-serve logs every request, and ends by itself.
serveSuite("React Router 8", start, { log: /^(GET|HEAD|POST) .* ms$/, exit: [0] });
exampleSuite("React Router", start, { atTheEnd: /^(GET .* ms\n+)*$/ });
