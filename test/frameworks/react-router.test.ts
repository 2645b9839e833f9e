import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { builtFixture } from "../support/fixture.ts";

// react-router-serve logs every request, and ends on its own.
const options = { log: /^(GET|HEAD|POST) .* ms$/, exit: [0] };
const packages = ["react-router", "@react-router/node", "@react-router/serve", "@react-router/dev"];
const versions = Object.fromEntries(packages.map((name) => [name, "7.18.4"]));

const start = builtFixture("react-router");
serveSuite("React Router 8", start, options);
serveSuite("React Router 7", builtFixture("react-router", { versions }), options);
exampleSuite("React Router", start, { atTheEnd: /^(GET .* ms\n+)*$/ });
