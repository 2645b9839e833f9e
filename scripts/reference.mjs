// Writes docs/reference from the docstrings of what the package exports, and lists what those leave open.
import "./lib/bootstrap.mjs";
import { build } from "./lib/build.mjs";
import { reference, writeReference } from "./lib/reference/index.mjs";

if (!(await build())) process.exit(1);
const { pages, problems } = reference();
writeReference(pages);
for (const problem of problems) console.log(problem);
console.log(`${pages.size} pages in docs/reference, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
