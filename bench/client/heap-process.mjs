// Prints the heap after 2,000 and after 10,000 reconnects: node --expose-gc heap-process.mjs CLIENT URL
import { subscribe } from "sourcecast/client";
import { contenders } from "./contenders.mjs";

const [name = "", url = ""] = process.argv.slice(2);
let reconnects = 0;
/** @type {number[]} */
const heaps = [];
const { promise: done, resolve } = Promise.withResolvers();

const onEvent = () => {
  reconnects++;
  if (reconnects !== 2_000 && reconnects !== 10_000) return;
  for (let round = 0; round < 3; round++) globalThis.gc?.();
  heaps.push(process.memoryUsage().heapUsed);
  if (reconnects === 10_000) resolve(undefined);
};
if (name.startsWith("sourcecast: subscribe")) {
  // Without the random delay, which is there to spread clients.
  subscribe(url, { share: false, retry: { initial: 1, max: 1 } }).on("price", onEvent);
} else contenders[name]?.(url, onEvent);
// Some clients let the process end while they wait for the next attempt.
setInterval(() => {}, 1_000);
await done;
process.stdout.write(JSON.stringify(heaps));
process.exit();
