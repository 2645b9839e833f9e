// npm run bench:runs: 1,000 answers of a model at once, with a reader each; the first token after a reload; and the bytes that a
// token takes in the log. On memory, SQLite and Redis, next to a bare `pipe` and to `resumable-stream` on Redis.
import "../scripts/lib/bootstrap.mjs";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "../scripts/lib/build.mjs";
import { installPeers } from "./lib/install.mjs";
import { machine } from "./lib/machine.mjs";

if (!(await build())) process.exit(1);
installPeers();
const { answers } = await import("./runs/answers.mjs");
const { reloads } = await import("./runs/reloads.mjs");

const isQuick = process.argv.includes("--quick");
const results = { answers: await answers(isQuick ? 1 : 3), reloads: await reloads(isQuick ? 1 : 3) };
if (!isQuick) {
  const folder = join(import.meta.dirname, "results");
  mkdirSync(folder, { recursive: true });
  const text = JSON.stringify({ machine: machine(), ...results }, null, 2);
  writeFileSync(join(folder, "runs.json"), `${text}\n`);
}
