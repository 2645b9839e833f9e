import { describe, expect, test, vi } from "vitest";
import type { HubOptions } from "../../../src/index.ts";
import type { CompleteLog } from "../../../src/log/complete.ts";
import type { Position, Tail, TailBatch } from "../../../src/log/log.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { PlainLog, PlainStore } from "../../../src/testing/index.ts";
import { expectConsole } from "../../support/console.ts";
import { follow, joined, openHub } from "../../support/hub.ts";
import { intercept } from "../../support/intercept.ts";
import { tick } from "../../support/web.ts";

type Method = "append" | "head" | "witnesses" | "read" | "last" | "latestByKey" | "locate";

/** A log of which methods fail when told to, and that can be replaced by another one, as after a loss. */
function fragileLog() {
  const broken = new Set<Method | "tail">();
  let log = memoryLog({ maxEvents: 1_000 });
  let tellTail: (error: unknown) => void = () => {};
  let restartTail: () => void = () => {};
  const failure = (method: string) => new Error(`No ${method}`);
  const guarded =
    <M extends Method>(method: M) =>
    async (...args: Parameters<CompleteLog[M]>) => {
      if (broken.has(method)) throw failure(method);
      return (log[method] as (...args: unknown[]) => Promise<never>)(...args);
    };
  const fragile: CompleteLog = {
    capabilities: log.capabilities,
    append: guarded("append"),
    head: guarded("head"),
    witnesses: guarded("witnesses"),
    locate: guarded("locate"),
    read: guarded("read"),
    last: guarded("last"),
    latestByKey: guarded("latestByKey"),
    tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
      if (broken.has("tail")) throw failure("tail");
      tellTail = onError;
      let tail = log.tail(after, onEntries, onError);
      restartTail = () => {
        tail.close();
        tail = log.tail({ epoch: "", offset: 0, witness: 0 }, onEntries, onError);
      };
      return { close: () => tail.close() };
    },
    close: () => log.close(),
  };
  return {
    log: fragile,
    broken,
    tellTail: (error: unknown) => tellTail(error),
    /** The log is lost, and an empty one is in its place. */
    replace() {
      log = memoryLog({ maxEvents: 1_000 });
      restartTail();
    },
  };
}

function fragileHub(options: HubOptions = {}) {
  const fragile = fragileLog();
  return { ...openHub({ log: fragile.log, ...options }), ...fragile };
}

describe("a log that fails", () => {
  test("in append: only the publisher gets the error, and the next event is accepted", async () => {
    const { hub, broken } = fragileHub();
    const client = await joined(hub, "a");
    broken.add("append");
    await expect(hub.channel("a").dispatch("n", 1)).rejects.toThrow("No append");
    await expect(hub.channel("a").end()).rejects.toThrow("No append");
    expect(await hub.channel("a").pipe(["x"])).toMatchObject({ ended: "failed", events: 0 });
    broken.clear();
    await hub.channel("a").dispatch("n", 2);
    await client.settle();
    expect([client.data, client.ended, hub.stats().published]).toEqual([["2"], false, 1]);
  });

  test.each(["head", "tail"] as const)(
    "in %s at the very start: tried again with the next one who needs it",
    async (method) => {
      const { hub, broken, errors } = fragileHub();
      broken.add(method);
      await expect(hub.channel("a").dispatch("n", 1)).rejects.toThrow(`No ${method}`);
      const early = await (await follow(hub, "a")).end();
      expect([early.status, early.types, errors.splice(0)]).toEqual([200, ["sse:later"], [["replay", `No ${method}`]]]);
      broken.clear();
      const client = await joined(hub, "a");
      await hub.channel("a").dispatch("n", 2);
      await client.settle();
      expect([client.data, hub.stats().connections]).toEqual([["2"], 1]);
    },
  );

  test.each<[Method, string, { rewind?: number }, string]>([
    ["locate", "a cursor", {}, "second"],
    ["read", "a cursor", {}, "second"],
    ["locate", "a foreign cursor", {}, "foreign.1.1"],
    ["latestByKey", "a foreign cursor", {}, "foreign.1.1"],
    ["locate", "a rewind", { rewind: 3 }, ""],
    ["last", "a rewind", { rewind: 3 }, ""],
    ["locate", "no cursor", {}, ""],
    ["latestByKey", "no cursor", {}, ""],
  ])(
    "in %s for a client with %s: the stream ends, never with an error status, and nothing is lost",
    async (method, _, options, id) => {
      const { hub, broken, errors } = fragileHub({ ring: { maxEvents: 1 } });
      const cursors: string[] = [];
      await hub.channel("value").dispatch("value", 1, { key: "k" });
      for (let n = 0; n < 6; n++) cursors.push(await hub.channel("a").dispatch("n", n));
      const lastEventId = id === "second" ? (cursors[1] as string) : id;
      const init = lastEventId === "" ? {} : { lastEventId };
      const other = await joined(hub, "a");
      broken.add(method);
      const client = await (await follow(hub, { channels: ["a", "value"], ...options }, init)).end();
      expect([client.status, client.data]).toEqual([200, []]);
      expect(errors.splice(0)).toEqual([["replay", `No ${method}`]]);
      broken.clear();
      const again = await client.reconnect();
      await hub.channel("a").dispatch("n", 6);
      await again.settle();
      const expected = id === "second" ? [2, 3, 4, 5, 6] : "rewind" in options ? [3, 4, 5, 6] : [6];
      expect(again.events.filter(({ type }) => type === "n").map(({ data }) => Number(data))).toEqual(expected);
      expect([other.data, hub.stats().connections]).toEqual([["6"], 2]);
    },
  );

  test("in read while a slow reader catches up: it comes back with nothing lost", async () => {
    const { hub, broken, errors } = fragileHub({ ring: { maxEvents: 1 } });
    const slow = await joined(hub, "a");
    slow.pause();
    const data = "x".repeat(2_000);
    for (let n = 0; n < 150; n++) {
      await hub.channel("a").dispatch("n", `${n} ${data}`);
      await tick();
    }
    broken.add("read");
    slow.resume();
    await slow.end();
    expect(errors.splice(0)).toEqual([["replay", "No read"]]);
    broken.clear();
    const again = await slow.reconnect();
    await again.until(() => again.data.at(-1)?.startsWith("149 ") === true);
    const numbers = [...slow.data, ...again.data].map((text) => Number.parseInt(text, 10));
    expect(numbers).toEqual(Array.from({ length: 150 }, (_, n) => n));
  });

  test("in its tail says so as such", async () => {
    const { hub, errors, tellTail } = fragileHub();
    await joined(hub, "a");
    tellTail(new Error("No tail"));
    expect(errors.splice(0)).toEqual([["tail", "No tail"]]);
  });

  test("without an onError they go to the console", async () => {
    const lines = expectConsole(/failure in the background \(replay\).*No latest/);
    const { hub, broken } = fragileHub({ onError: undefined as never });
    await hub.channel("a").dispatch("n", 1, { key: "k" });
    broken.add("latestByKey");
    await (await follow(hub, "a")).end();
    expect(lines).toHaveLength(1);
  });
});

describe("a log that is lost while clients are connected", () => {
  test("resets every client once, followed by later events", async () => {
    const { hub, replace } = fragileHub();
    const clients = [await joined(hub, "a"), await joined(hub, "*"), await joined(hub, "quiet")];
    await hub.channel("a").dispatch("n", 1);
    replace();
    await hub.channel("a").dispatch("n", 2);
    await hub.channel("a").dispatch("n", 3);
    await clients[0]?.settle();
    const [one, all, quiet] = clients.map(({ types }) => types);
    expect(quiet).toEqual(["sse:reset"]);
    for (const types of [one, all]) expect(types?.slice(0, 2)).toEqual(["n", "sse:reset"]);
    expect(clients.map((client) => client.control("reset"))).toEqual(Array(3).fill([{ reason: "epoch" }]));
    for (const client of clients) expect((await client.reconnect()).control("reset")).toEqual([]);
    expect(hub.stats().resets).toBe(3);
  });

  test("also clients that are starting or lagging: events not delivered after the reset were delivered before it", async () => {
    const { hub, replace } = fragileHub({ ring: { maxEvents: 1 } });
    const before = await hub.cursor();
    const slow = await joined(hub, "a");
    slow.pause();
    for (let n = 0; n < 100; n++) {
      await hub.channel("a").dispatch("old", "x".repeat(2_000));
      await tick();
    }
    const beginning = [
      follow(hub, "a"),
      follow(hub, "a", { lastEventId: before }),
      follow(hub, { channels: ["a"], rewind: 5 }),
    ];
    replace();
    await hub.channel("a").dispatch("new", 1);
    slow.resume();
    const clients = await Promise.all(beginning);
    for (let n = 2; n < 6; n++) await hub.channel("a").dispatch("new", n);
    for (const client of [slow, ...clients]) {
      await client.until(() => client.data.at(-1) === "5");
      const { types } = client;
      const reset = types.indexOf("sse:reset");
      // A new client may connect after the loss and need no reset.
      expect(types.slice(reset + 1)).not.toContain("old");
      const fresh = client.data.filter((data) => data.length === 1).map(Number);
      expect(fresh).toEqual([1, 2, 3, 4, 5].slice(-fresh.length));
      expect(client.control("reset").length).toBeLessThanOrEqual(1);
    }
    expect(hub.stats()).toMatchObject({ live: 4, lagging: 0, gaps: {} });
  });
});

test("a tail that cannot be started after a loss is tried again, and live clients miss nothing in between", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    const store = new PlainStore({ maxEvents: 1_000 });
    const plain = new PlainLog(store, { poll: false });
    let isBroken = false;
    const log = intercept(plain, (name, call) => {
      if (name === "tail" && isBroken) throw new Error("No tail");
      return call();
    });
    const { hub, errors } = openHub({ log });
    await hub.channel("b").dispatch("n", "lost");
    const client = await joined(hub, "a");
    store.lose(1);
    isBroken = true;
    // The question of the next client finds the loss.
    const other = await joined(hub, "a");
    expect(errors.splice(0)).toEqual([["tail", "No tail"]]);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(errors.splice(0)).toEqual([["tail", "No tail"]]);
    const present = client.ended ? await client.reconnect() : client;
    for (const n of [1, 2, 3]) await hub.channel("a").dispatch("n", n);
    isBroken = false;
    const late = await joined(hub, "a");
    await vi.advanceTimersByTimeAsync(1_500);
    await hub.channel("a").dispatch("n", 4);
    for (const each of [present, other, late]) await each.settle();
    expect([present.data, other.data]).toEqual([
      ["1", "2", "3", "4"],
      ["1", "2", "3", "4"],
    ]);
    expect(late.data.at(-1)).toBe("4");
  } finally {
    vi.useRealTimers();
  }
});
