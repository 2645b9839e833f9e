// Writes the table in docs/frameworks.md from the results that the tests of frameworks recorded with -u.
import "./lib/bootstrap.mjs";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withTable } from "./lib/frameworks.mjs";
import { root } from "./lib/paths.mjs";

const page = join(root, "docs/frameworks.md");
writeFileSync(page, withTable(readFileSync(page, "utf8")));
