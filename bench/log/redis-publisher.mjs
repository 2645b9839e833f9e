// Publishes the time repeatedly: node redis-publisher.mjs PORT "by hand"|"the log" KEY PAUSE COUNT
import { setTimeout } from "node:timers/promises";
import { createClient } from "redis";
import { redisLog } from "../../dist/logs/redis/index.js";

const [port, kind, key = "", pause, count] = process.argv.slice(2);
const client = createClient({ socket: { port: Number(port), host: "127.0.0.1" } });
await client.connect();
const log = kind === "the log" ? redisLog({ client, key }) : null;
for (let i = 0; i < Number(count); i++) {
  await setTimeout(Number(pause) * (0.5 + Math.random()));
  const time = String(process.hrtime.bigint());
  if (log === null) await client.sendCommand(["XADD", key, "*", "data", time]);
  else await log.append([{ channel: "time", type: "message", data: time }]);
}
await log?.close();
client.destroy();
