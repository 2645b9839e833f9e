// Receives events in a process of its own and prints seconds and microseconds of processor time per event:
// node node-process.mjs CLIENT URL COUNT
import { receive } from "./contenders.mjs";

const [name = "", url = "", count] = process.argv.slice(2);
const events = Number(count);
// The compilers have their turn before the measurement.
for (let round = 0; round < 3; round++) await receive(name, `${url}?count=${events}`, events);
const before = process.cpuUsage();
const seconds = await receive(name, `${url}?count=${events}`, events);
const { user, system } = process.cpuUsage(before);
process.stdout.write(JSON.stringify({ seconds, cpu: (user + system) / events }));
process.exit();
