// npm run bench:log: the cost of publishing to a log, one by one and in bursts, and the delay until another process has the
// event.
import "../scripts/lib/bootstrap.mjs";
import { build } from "../scripts/lib/build.mjs";

if (!(await build())) process.exit(1);
const { oneByOne, inBursts } = await import("./log/publish.mjs");
const { acrossProcesses } = await import("./log/across-processes.mjs");
const { quietChannel } = await import("./log/quiet-channel.mjs");
const { redis } = await import("./log/redis.mjs");

const wanted = process.argv.slice(2);
for (const measure of [oneByOne, inBursts, acrossProcesses, quietChannel, redis]) {
  if (wanted.length === 0 || wanted.includes(measure.name)) await measure();
}
