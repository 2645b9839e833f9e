// npm run outdated: lists examples without their framework's newest version, and published clients that the tests run in an
// older version. It asks npm's registry once for each package.
import "./lib/bootstrap.mjs";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./lib/paths.mjs";

const examples = join(root, "examples");
/** @type {Map<string, Promise<string>>} */
const newest = new Map();
let outdated = 0;

for (const example of readdirSync(examples).sort()) {
  const file = join(examples, example, "package.json");
  if (!existsSync(file)) continue;
  // Packages that an example keeps at an older version, with the reason.
  const { dependencies, devDependencies, held = {} } = JSON.parse(readFileSync(file, "utf8"));
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    if (name !== "sourcecast" && !(name in held)) await compare(`examples/${example}`, name, version);
  }
}
const clients = JSON.parse(readFileSync(join(root, "test/clients/versions.json"), "utf8"));
for (const [name, version] of Object.entries(clients)) await compare("test/clients", name, version);
console.log(outdated === 0 ? "Every example and every client has the newest versions" : `${outdated} outdated`);

/** @param {string} where @param {string} name @param {string} version */
async function compare(where, name, version) {
  const latest = await newestOf(name);
  if (version === latest) return;
  outdated++;
  console.log(`${where}: ${name} ${version}, the newest is ${latest}`);
}

/** @param {string} name */
function newestOf(name) {
  let answer = newest.get(name);
  if (answer === undefined) {
    answer = promisify(execFile)("npm", ["view", name, "version"]).then(({ stdout }) => stdout.trim());
    newest.set(name, answer);
  }
  return answer;
}
