import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { natsLog } from "../../../dist/logs/nats/index.js";
import { connectNats, startNats } from "../../../test/support/stores/nats-server.ts";

/** @type {import("./store.mjs").Store} */
export const nats = {
  name: "NATS",
  byHand: "JetStream publish, ordered consumer",
  start: () => startNats(),

  async connect(port) {
    const connection = await connectNats({ port });
    return {
      log: (stream, retention) => natsLog({ connection, stream, ...retention }),
      byHand: (name) => byHand(connection, name),
      async size(what, folder) {
        const stream = "log" in what ? what.log : `hand-${what.byHand}`;
        return { disk: sizeOf(join(folder, "data", "jetstream", "$G", "streams", stream)) };
      },
      close: () => connection.close(),
    };
  },
};

/** @param {import("@nats-io/transport-node").NatsConnection} connection @param {string} name @returns {Promise<import("./store.mjs").ByHand>} */
async function byHand(connection, name) {
  const stream = `hand-${name}`;
  const manager = await jetstreamManager(connection);
  try {
    await manager.streams.add({ name: stream, subjects: [`${stream}.>`], allow_direct: true });
  } catch {
    // Another process was faster.
  }
  const client = jetstream(connection);
  return {
    publish: (data, channel = "news") => client.publish(`${stream}.${channel}`, data),
    publishAll: null,
    async follow(add) {
      const consumer = await client.consumers.get(stream, { deliver_policy: DeliverPolicy.New });
      const messages = await consumer.consume({ callback: (message) => add(message.string()) });
      return async () => messages.stop();
    },
    async read(channel) {
      const message = await manager.direct
        .getMessage(stream, { next_by_subj: `${stream}.${channel}`, seq: 1 })
        .catch(() => null);
      return message === null ? [] : [message.string()];
    },
  };
}

/** @param {string} folder @returns {number} */
function sizeOf(folder) {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    return sum + (entry.isDirectory() ? sizeOf(path) : statSync(path).size);
  }, 0);
}
