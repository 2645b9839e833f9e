// Writes the README's table of frameworks. After a change of what the tests of frameworks found, they record it with -u.
import "./lib/bootstrap.mjs";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withTable } from "./lib/frameworks.mjs";
import { root } from "./lib/paths.mjs";

const readme = join(root, "README.md");
writeFileSync(readme, withTable(readFileSync(readme, "utf8")));
