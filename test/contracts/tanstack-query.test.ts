// A stream as a query of TanStack Query, as docs/recipes/tanstack-query.md has it: order, a loss, the last observer.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { QueryClient, QueryObserver, experimental_streamedQuery as streamedQuery } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test } from "vitest";
import { respond } from "../../src/adapters/node.ts";
import type { TextEvent } from "../../src/client/events.ts";
import { subscribe } from "../../src/client/subscribe.ts";
import type { Hub } from "../../src/index.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { eventually } from "../support/deadline.ts";
import { openHub } from "../support/hub.ts";

let hub: Hub;
let server: Server;
let client: QueryClient;
let isDown = false;
let requests = 0;

beforeEach(async () => {
  isDown = false;
  requests = 0;
  ({ hub } = openHub({ retry: 1, log: memoryLog({ maxEvents: 100 }) }));
  server = createServer((req, res) => {
    requests++;
    if (isDown) res.destroy();
    else void respond(hub, req, res, { channels: ["news"], rewind: 1 });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  client = new QueryClient();
});

afterEach(async () => {
  client.clear();
  await hub.close();
  server.closeAllConnections();
  await once(server.close(), "close");
});

/** The query of the docs, and the values that its observer has seen. */
function observe() {
  const queryKey = ["headlines"];
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const queryFn = streamedQuery({
    streamFn({ signal }) {
      const stream = subscribe(url, { signal, retry: { initial: 20, max: 50 } });
      stream.onLoss(() => client.invalidateQueries({ queryKey }));
      return stream.batches();
    },
    reducer: (list: string[], batch: TextEvent[]) => [...list, ...batch.map(({ data }) => data)],
    initialValue: [],
  });
  const observer = new QueryObserver(client, { queryKey, queryFn, retry: false });
  const leave = observer.subscribe(() => {});
  const shows = (...expected: string[]) =>
    eventually(
      `the query has ${expected}`,
      async () => client.getQueryData<string[]>(queryKey) ?? [],
      (list) => list.join() === expected.join(),
    );
  return { leave, shows };
}

const publish = (...texts: string[]) =>
  hub.channel("news").dispatchAll(texts.map((data) => ({ type: "headline", data })));

test("a burst arrives in order, and the cache changes once for many", async () => {
  const { leave, shows } = observe();
  await publish("first");
  await shows("first");
  let changes = 0;
  const stop = client.getQueryCache().subscribe(() => changes++);
  const numbers = Array.from({ length: 90 }, (_, index) => String(index));
  await publish(...numbers);
  await shows("first", ...numbers);
  stop();
  expect(changes).toBeLessThan(numbers.length / 2);
  leave();
});

test("a loss invalidates the query, which starts over with the present state", async () => {
  const { leave, shows } = observe();
  await publish("before");
  await shows("before");
  isDown = true;
  server.closeAllConnections();
  await publish("gone");
  await hub.channel("other").dispatchAll(Array.from({ length: 300 }, () => ({ type: "noise", data: "" })));
  await publish("now");
  isDown = false;
  // The reconnect brings the gap; the query that it invalidates asks as a new client, and gets the last event.
  await shows("now");
  await publish("later");
  await shows("now", "later");
  leave();
});

test("the stream closes with the last observer", async () => {
  const { leave, shows } = observe();
  await publish("first");
  await shows("first");
  leave();
  await eventually(
    "no connection is left",
    async () => hub.stats().connections,
    (count) => count === 0,
  );
  expect(requests).toBe(1);
});
