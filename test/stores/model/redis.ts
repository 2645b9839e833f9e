import { createClient } from "redis";
import { redisLog } from "../../../src/logs/redis/index.ts";
import { FaultProxy } from "../../support/stores/fault-proxy.ts";
import { startRedis } from "../../support/stores/redis-server.ts";
import type { ModelStore } from "./store.ts";

export async function redisModelStore(): Promise<ModelStore> {
  const server = await startRedis();
  const direct = await connected(server.port);
  return {
    name: "redis",
    trimsAll: false,
    async machine() {
      const proxy = await FaultProxy.start(server.port);
      const client = await connected(proxy.port);
      return {
        proxy,
        open: (key, retention) => redisLog({ client, key, appendTimeout: "2s", ...retention }),
        async [Symbol.asyncDispose]() {
          client.destroy();
          await proxy[Symbol.asyncDispose]();
        },
      };
    },
    async renew(key) {
      const keys = await direct.keys(`{${key}}:*`);
      if (keys.length > 0) await direct.del(keys);
    },
    async [Symbol.asyncDispose]() {
      direct.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function connected(port: number) {
  // A connection that is cut while the client connects is noticed only by this timeout.
  const socket = { port, host: "127.0.0.1", reconnectStrategy: 10, connectTimeout: 250 };
  const client = createClient({ socket });
  client.on("error", () => {});
  await client.connect();
  return client;
}
