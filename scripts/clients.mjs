// Writes the table in docs/other-protocols.md from the results that the tests of published clients recorded with -u.
import "./lib/bootstrap.mjs";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withTable } from "./lib/clients.mjs";
import { root } from "./lib/paths.mjs";

const page = join(root, "docs/other-protocols.md");
writeFileSync(page, withTable(readFileSync(page, "utf8")));
