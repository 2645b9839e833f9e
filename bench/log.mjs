// npm run bench:log -- redis: logs compared with the same written by hand. Each argument names a part; without one, all of them
// are measured.
import "../scripts/lib/bootstrap.mjs";
import { build } from "../scripts/lib/build.mjs";
import { ensureStores } from "../scripts/lib/stores.mjs";

if (!(await build())) process.exit(1);
const { oneByOne, inBursts } = await import("./log/publish.mjs");
const { acrossProcesses } = await import("./log/across-processes.mjs");
const { quietChannel } = await import("./log/quiet-channel.mjs");
const { redis, nats, postgres } = await import("./log/compare.mjs");
const { readers } = await import("./log/readers.mjs");

const parts = { oneByOne, inBursts, acrossProcesses, quietChannel, redis, nats, postgres, readers };
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(", ")}; the parts are ${Object.keys(parts).join(", ")}`);
  process.exit(1);
}
const needsStores =
  wanted.length === 0 || wanted.some((name) => ["redis", "nats", "postgres", "readers"].includes(name));
if (needsStores && !(await ensureStores())) process.exit(1);
for (const [name, measure] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) await measure();
