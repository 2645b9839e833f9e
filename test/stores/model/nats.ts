import { natsLog } from "../../../src/logs/nats/index.ts";
import { FaultProxy } from "../../support/stores/fault-proxy.ts";
import { connectNats, requestNats, startNats } from "../../support/stores/nats-server.ts";
import type { ModelStore } from "./store.ts";

export async function natsModelStore(): Promise<ModelStore> {
  const server = await startNats();
  const direct = await connectNats(server);
  return {
    name: "nats",
    trimsAll: true,
    async machine() {
      const proxy = await FaultProxy.start(server.port);
      // A connection that is cut while the client reconnects is noticed only by this timeout.
      const options = { reconnectTimeWait: 10, reconnectJitter: 5, timeout: 500, waitOnFirstConnect: true };
      const connection = await connectNats(proxy, options);
      return {
        proxy,
        open: (stream, retention) => natsLog({ connection, stream, appendTimeout: "2s", ...retention }),
        async [Symbol.asyncDispose]() {
          await connection.close();
          await proxy[Symbol.asyncDispose]();
        },
      };
    },
    async renew(stream) {
      for (const name of [stream, `${stream}-values`]) {
        await requestNats(direct, `STREAM.DELETE.${name}`).catch(() => {});
      }
    },
    async [Symbol.asyncDispose]() {
      await direct.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
