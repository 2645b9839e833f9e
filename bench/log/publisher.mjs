// Publishes the time repeatedly: node publisher.mjs PATH PAUSE COUNT
import { setTimeout } from "node:timers/promises";
import { sqliteLog } from "../../dist/logs/sqlite/index.js";

const [path = "", pause, count] = process.argv.slice(2);
const log = sqliteLog({ path });
for (let i = 0; i < Number(count); i++) {
  await setTimeout(Number(pause) * (0.5 + Math.random()));
  await log.append([{ channel: "time", type: "message", data: String(process.hrtime.bigint()) }]);
}
await log.close();
