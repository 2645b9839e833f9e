// The first import of every script. It runs on Node 20 with nothing installed: it installs the packages of package-lock.json
// once, then starts the script again with the Node of the project (development dependency `node`). Only there does the
// importing script continue.
import { existsSync, realpathSync } from "node:fs";
import { pinnedNode, projectEnv } from "./paths.mjs";
import { run } from "./run.mjs";
import { isInstalled, markInstalled } from "./stamp.mjs";

if (!isInstalled()) await install();

if (existsSync(pinnedNode)) {
  if (realpathSync(process.execPath) !== realpathSync(pinnedNode)) {
    process.exit(await run(pinnedNode, [...process.execArgv, ...process.argv.slice(1)], { cwd: process.cwd() }));
  }
} else if (Number(process.versions.node.split(".")[0]) < 22) {
  fail(`Node ${process.versions.node} is too old and the package "node" has no binary for this platform: use Node 24`);
}
Object.assign(process.env, projectEnv());

async function install() {
  console.log("Installing dependencies (once) ...");
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env.npm_execpath;
  // npm passes its path to the scripts that it starts.
  const code = npm?.endsWith("npm-cli.js")
    ? await run(process.execPath, [npm, ...args])
    : await run("npm", args, { shell: process.platform === "win32" });
  if (code !== 0) fail(`npm ci ended with ${code}: see above, then try again`);
  markInstalled();
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`\n${message}`);
  process.exit(1);
}
