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
// The class opens streams that end at once twice a second at most. So that 10,000 take no hour, its clocks run faster.
if (name === "sourcecast: EventSource") {
  const factor = 1_000;
  const { setTimeout: wait } = globalThis;
  for (const clock of [performance, Date]) {
    const { now } = clock;
    clock.now = () => now.call(clock) * factor;
  }
  globalThis.setTimeout = /** @type {any} */ (
    (/** @type {() => void} */ callback, time = 0, /** @type {unknown[]} */ ...args) =>
      wait(callback, time / factor, .../** @type {[]} */ (args))
  );
}
if (name.startsWith("sourcecast: subscribe")) {
  // Without the random delay, which is there to spread clients.
  subscribe(url, { share: false, retry: { initial: 1, max: 1 } }).on("price", onEvent);
} else contenders[name]?.(url, onEvent);
// Some clients let the process end while they wait for the next attempt.
setInterval(() => {}, 1_000);
await done;
process.stdout.write(JSON.stringify(heaps));
process.exit();
