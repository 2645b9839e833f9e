// npm run english -- [rule or part of a path]: lists wording that this project avoids. --lower records
// today's counts as the new ceilings, which only go down.
import "./lib/bootstrap.mjs";
import { writeFileSync } from "node:fs";
import { ceilingsFile, englishFindings, readCeilings, rules } from "./lib/english.mjs";
import { root } from "./lib/paths.mjs";

const [wanted] = process.argv.slice(2);
const findings = englishFindings(root);
if (wanted === "--lower") {
  const before = readCeilings(root);
  /** @type {Record<string, number>} */
  const ceilings = {};
  for (const { name } of rules) {
    const count = Math.min(findings.filter(({ rule }) => rule.name === name).length, before[name] ?? 0);
    if (count > 0) ceilings[name] = count;
  }
  writeFileSync(ceilingsFile(root), `${JSON.stringify(ceilings, null, 2)}\n`);
} else {
  const listed = findings.filter(({ rule, file }) => !wanted || rule.name === wanted || file.includes(wanted));
  for (const { rule, file, line, excerpt } of listed) console.log(`${file}:${line} [${rule.name}] ${excerpt}`);
  console.log(`${listed.length} of ${findings.length}`);
}
