// Writes what is generated: docs/reference from the docstrings of src, the tree in AGENTS.md, and the files that examples have
// in common. Lists what the docstrings leave open.
import "./lib/bootstrap.mjs";
import { build } from "./lib/build.mjs";
import { writeCopies } from "./lib/example-copies.mjs";
import { reference, writeReference } from "./lib/reference/index.mjs";
import { writeTree } from "./lib/tree.mjs";

if (!(await build())) process.exit(1);
writeTree();
writeCopies();
const { pages, problems } = reference();
writeReference(pages);
for (const problem of problems) console.log(problem);
console.log(`AGENTS.md, ${pages.size} pages in docs/reference; ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
