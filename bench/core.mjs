// npm run bench:core: the cost of the core compared with hand-written code and with other encoders, as ratios in one run.
import "../scripts/lib/bootstrap.mjs";
import { build } from "../scripts/lib/build.mjs";
import { installPeers } from "./lib/install.mjs";

installPeers();
if (!(await build())) process.exit(1);
const { encoding } = await import("./core/encoding.mjs");
const { webFanOut } = await import("./core/web-fan-out.mjs");
const { nodeFanOut } = await import("./core/node-fan-out.mjs");
const { idleHeap } = await import("./core/idle-heap.mjs");
const { compression } = await import("./core/compression.mjs");

const wanted = process.argv.slice(2);
for (const measure of [encoding, webFanOut, nodeFanOut, idleHeap, compression]) {
  if (wanted.length === 0 || wanted.includes(measure.name)) await measure();
}
