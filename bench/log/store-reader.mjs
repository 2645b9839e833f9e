// Follows a log: node store-reader.mjs STORE PLACE. A line with a number asks for the processor time, in microseconds since the start,
// once so many events have arrived. It ends with its standard input.
import { createInterface } from "node:readline";
import { openLog } from "./readers.mjs";

const [key = "", place = ""] = process.argv.slice(2);
const { log, close } = await openLog(key, place);
const { epoch, top, witness } = await log.head();
let received = 0;
let wanted = Number.POSITIVE_INFINITY;
const tail = log.tail(
  { epoch, offset: top, witness },
  ({ entries }) => {
    received += entries.length;
    answer();
  },
  console.error,
);
// The tail has its place once it has read for the first time.
await new Promise((resolve) => setTimeout(resolve, 200));
const start = process.cpuUsage();
console.log("following");
for await (const line of createInterface({ input: process.stdin })) {
  wanted = Number(line);
  answer();
}
tail.close();
await close();

function answer() {
  if (received < wanted) return;
  wanted = Number.POSITIVE_INFINITY;
  const { user, system } = process.cpuUsage(start);
  console.log(user + system);
}
