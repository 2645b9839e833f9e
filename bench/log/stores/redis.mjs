import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "redis";
import { redisLog } from "../../../dist/logs/redis/index.js";
import { startRedis } from "../../../test/support/stores/redis-server.ts";

/** @type {import("./store.mjs").Store} */
export const redis = {
  name: "Redis",
  byHand: "XADD, XREAD",
  start: () => startRedis({ appendonly: "yes", appendfsync: "everysec", "auto-aof-rewrite-percentage": 0 }),

  async connect(port) {
    const client = createClient({ socket: { port, host: "127.0.0.1" } });
    client.on("error", () => {});
    await client.connect();
    const used = async () =>
      Number(/used_memory:(\d+)/.exec(String(await client.sendCommand(["INFO", "memory"])))?.[1]);
    return {
      log: (name, retention) => redisLog({ client: /** @type {any} */ (client), key: name, ...retention }),
      byHand: async (name) => byHand(client, name),
      async size(_, folder) {
        // The server is alone with what is measured: the difference between two calls is its size.
        const files = readdirSync(join(folder, "appendonlydir"));
        const disk = files.reduce((sum, file) => sum + statSync(join(folder, "appendonlydir", file)).size, 0);
        return { memory: await used(), disk };
      },
      close: async () => client.destroy(),
    };
  },
};

/** @param {ReturnType<typeof createClient>} client @param {string} name @returns {import("./store.mjs").ByHand} */
function byHand(client, name) {
  return {
    publish: (data, channel) =>
      client.sendCommand(["XADD", channel === undefined ? name : `${name}:${channel}`, "*", "data", data]),
    // The client sends the commands of a tick together.
    publishAll: null,
    async follow(add) {
      const reader = client.duplicate();
      reader.on("error", () => {});
      await reader.connect();
      let last = "0-0";
      let isOpen = true;
      const loop = async () => {
        while (isOpen) {
          const args = ["XREAD", "COUNT", "256", "BLOCK", "1000", "STREAMS", name, last];
          const reply = /** @type {any} */ (await reader.sendCommand(args));
          for (const [id, fields] of reply?.[0]?.[1] ?? []) {
            last = id;
            add(fields[1]);
          }
        }
      };
      const done = loop().catch(() => {});
      return async () => {
        isOpen = false;
        reader.destroy();
        await done;
      };
    },
    async read(channel) {
      const reply = /** @type {any} */ (await client.sendCommand(["XRANGE", `${name}:${channel}`, "-", "+"]));
      return reply.map((/** @type {[string, string[]]} */ [, fields]) => fields[1]);
    },
  };
}
