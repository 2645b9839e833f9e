// Applications read the user from an AsyncLocalStorage. Whatever runs for a connection runs in the context of its request.
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, test } from "vitest";
import { EventSource, type HubOptions } from "../../src/index.ts";
import { collectGarbage } from "../support/collect-garbage.ts";
import { eventually } from "../support/deadline.ts";
import { joined, openHub } from "../support/hub.ts";
import { request, tick } from "../support/web.ts";

const user = new AsyncLocalStorage<string>();
const as = <T>(name: string, run: () => T): T => user.run(name, run);

/** The users in whose context each callback of a hub ran. */
function recording(options: HubOptions = {}) {
  const ran: Record<string, (string | undefined)[]> = {};
  const note = (callback: string) => {
    ran[callback] ??= [];
    ran[callback].push(user.getStore());
  };
  const opened = openHub({
    authorize: () => {
      note("authorize");
      return true;
    },
    onLoss: () => note("onLoss"),
    snapshot: () => {
      note("snapshot");
      return { events: [] };
    },
    ...options,
  });
  const filter = () => {
    note("filter");
    return true;
  };
  return { ...opened, ran, filter };
}

describe("callbacks of a subscription run in the context of its request", () => {
  test("authorize() for a channel that a publisher brings up, and filter()", async () => {
    const { hub, ran, filter } = recording();
    const client = await as("ann", () => joined(hub, { channels: ["room:*"], filter }));
    await as("bob", () => hub.channel("room:secret").dispatch("n", 1));
    await as("bob", () => hub.channel("room:secret").dispatch("n", 2));
    await client.settle();
    expect(client.data).toEqual(["1", "2"]);
    expect(ran).toEqual({ authorize: ["ann", "ann"], filter: ["ann", "ann"] });
  });

  test("filter(), snapshot() and onLoss() of a reader that lags", async () => {
    const { hub, ran, filter } = recording({ ring: { maxEvents: 1 }, limits: { maxReplay: 3 } });
    const start = await hub.cursor();
    for (let n = 0; n < 8; n++) await as("bob", () => hub.channel("a").dispatch("n", n));
    const client = await as("ann", () => joined(hub, { channels: ["a"], filter }, { lastEventId: start }));
    client.pause();
    for (let n = 0; n < 40; n++) await as("bob", () => hub.channel("a").dispatch("n", "x".repeat(8_000)));
    await as("carl", async () => client.resume());
    await client.settle();
    expect(new Set(Object.values(ran).flat())).toEqual(new Set(["ann"]));
    expect(Object.keys(ran).sort()).toEqual(["authorize", "filter", "onLoss", "snapshot"]);
  });

  test("authorize() repeated, for each client in its own context, also when the first has left", async () => {
    const { hub, ran } = recording({ reauthorize: 40 });
    const ann = await as("ann", () => joined(hub, "a"));
    await as("bob", () => joined(hub, "a"));
    await as("ann", () => ann.leave());
    ran.authorize = [];
    await eventually(
      "authorize() runs again for bob",
      async () => ran.authorize ?? [],
      (asked) => asked.length >= 2,
    );
    expect(new Set(ran.authorize)).toEqual(new Set(["bob"]));
  });
});

test("a listener of a channel runs in the context in which it was added, whoever publishes", async () => {
  const { hub } = openHub();
  const ran: (string | undefined)[] = [];
  const remove = as("ann", () => hub.channel("a").subscribe(() => void ran.push(user.getStore())));
  for (const publisher of ["bob", "carl"]) await as(publisher, () => hub.channel("a").dispatch("n", 1));
  await eventually(
    "the listener was called for both",
    async () => ran.length,
    (calls) => calls === 2,
  );
  remove();
  expect(ran).toEqual(["ann", "ann"]);
});

describe("listeners of a source run in the context in which it was made", () => {
  const open = () => {
    const ran: (string | undefined)[] = [];
    const note = () => void ran.push(user.getStore());
    const source = as("ann", () => new EventSource(request()));
    return { source, ran, note };
  };

  test("close, when another request closes it", async () => {
    const { source, ran, note } = open();
    source.addEventListener("close", note);
    source.signal.addEventListener("abort", note);
    await as("bob", () => source.close());
    expect(ran).toEqual(["ann", "ann"]);
  });

  test("error, of a producer that another request started", async () => {
    const { source, ran, note } = open();
    source.addEventListener("error", note);
    const failing = async function* (): AsyncGenerator<string> {
      yield await Promise.reject(new Error("The producer failed"));
    };
    await as("bob", () => source.pipe(failing()));
    await source.close();
    expect(ran).toEqual(["ann"]);
  });

  test("overflow, and the function that decides about it", async () => {
    const ran: (string | undefined)[] = [];
    const note = () => void ran.push(user.getStore());
    const source = as("ann", () => new EventSource(request(), { maxBufferedBytes: 100, onOverflow: note }));
    source.addEventListener("overflow", note);
    as("bob", () => {
      for (let n = 0; n < 3; n++) source.dispatch("n", "x".repeat(90_000));
    });
    await source.close();
    expect(ran.length).toBeGreaterThan(1);
    expect(new Set(ran)).toEqual(new Set(["ann"]));
  });
});

test("the store of a client that has left is not kept alive", async () => {
  const store = new AsyncLocalStorage<object>();
  const { hub } = openHub({ reauthorize: 20, authorize: () => true });
  const first = await (async () => {
    const user = { name: "ann" };
    const { body } = await store.run(user, () => hub.response(request(), { channels: ["a"] }));
    await tick();
    await body?.cancel();
    return new WeakRef(user);
  })();
  // Others stay: what the hub shares was set up while the first client connected.
  const other = await joined(hub, "a");
  for (let turn = 0; turn < 20; turn++) {
    await hub.channel("a").dispatch("n", turn);
    await tick();
  }
  await eventually(
    "the first client's store is collected",
    async () => {
      collectGarbage();
      return first.deref() === undefined;
    },
    (collected) => collected,
  );
  expect(other.ended).toBe(false);
});
