// npm run english -- [rule or part of a path]: lists wording that this project avoids, with the place of each.
import "./lib/bootstrap.mjs";
import { englishFindings } from "./lib/english.mjs";
import { root } from "./lib/paths.mjs";

const [wanted] = process.argv.slice(2);
const findings = englishFindings(root);
const listed = findings.filter(({ rule, file }) => !wanted || rule.name === wanted || file.includes(wanted));
for (const { rule, file, line, excerpt } of listed) console.log(`${file}:${line} [${rule.name}] ${excerpt}`);
console.log(`${listed.length} of ${findings.length}`);
