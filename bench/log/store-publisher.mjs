// Publishes the time at a rate: node store-publisher.mjs STORE PORT "log"|"by hand" NAME EVENTS/S COUNT. It prints the processor
// time of one event in microseconds, without that of its start.
import { setTimeout } from "node:timers/promises";
import { stores } from "./stores/index.mjs";
import { entry } from "./stores/store.mjs";

const [store = "", port, kind, name = "", rate, count] = process.argv.slice(2);
const session = await /** @type {import("./stores/store.mjs").Store} */ (stores[store]).connect(Number(port));
const log = kind === "log" ? session.log(name) : null;
const hand = kind === "log" ? null : await session.byHand(name);
const publish = (/** @type {number} */ i) => {
  const time = String(process.hrtime.bigint());
  return log?.append([entry(i, time)]) ?? hand?.publish(time);
};
// The first call connects, and makes what is not there.
await log?.head();
const cpu = process.cpuUsage();
const start = performance.now();
/** @type {Set<unknown>} */
const pending = new Set();
for (let published = 0; published < Number(count); ) {
  await setTimeout(1);
  const due = Math.min(Number(count), Math.floor(((performance.now() - start) / 1_000) * Number(rate)));
  for (; published < due; published++) {
    const call = Promise.resolve(publish(published));
    pending.add(call);
    void call.finally(() => pending.delete(call));
  }
}
await Promise.all(pending);
const { user, system } = process.cpuUsage(cpu);
console.log((user + system) / Number(count));
await log?.close();
await session.close();
