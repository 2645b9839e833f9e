// npm run test:model -- --histories 100000 --seed 7: runs the model of faults and the
// histories of clients for longer than the tests do. With --on nats (or
// redis, postgres), its histories happen on a real server, and on a real network between it and each process. With --kill 50,
// real processes and the server are killed that often, with Chromium and other clients connected.
import "./lib/bootstrap.mjs";
import { parseArgs } from "node:util";
import { ensureBrowser } from "./lib/browser.mjs";
import { ensureStores } from "./lib/stores.mjs";
import { vitest } from "./lib/vitest.mjs";

const servers = ["redis", "nats", "postgres"];
const { values } = parseArgs({
  options: {
    histories: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    on: { type: "string" },
    kill: { type: "string" },
  },
});
for (const name of /** @type {const} */ (["histories", "seed", "kill"])) {
  if (/^[1-9]\d*$/.test(values[name] ?? "1")) continue;
  throw new Error(`--${name} takes a number, such as --${name} 100; it got "${values[name]}"`);
}
const { on, kill } = values;
if (on !== undefined && !servers.includes(on)) {
  throw new Error(`--on takes one of ${servers.join(", ")}; it got "${on}"`);
}
process.env.MODEL_HISTORIES = values.histories;
process.env.CLIENT_HISTORIES = values.histories;
process.env.MODEL_SEED = values.seed;
if (on !== undefined) process.env.MODEL_STORE = on;
if (kill !== undefined) {
  if (!(await ensureStores()) || !(await ensureBrowser())) process.exit(1);
  Object.assign(process.env, { KILL_ROUNDS: kill, KILL_BROWSER: "1" });
  process.exitCode = await vitest(["--project", "stores", "test/stores/kill.test.ts"]);
} else if (on === undefined) {
  const files = ["test/faults/model.test.ts", "test/faults/client-histories.test.ts"];
  process.exitCode = await vitest(["--project", "faults", ...files]);
} else {
  if (!(await ensureStores())) process.exit(1);
  process.exitCode = await vitest(["--project", "stores", "test/stores/model.test.ts"]);
}
