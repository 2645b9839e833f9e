// Positions that a log can neither confirm nor refute, holes, and superseded entries whose successor is for other clients.
import { expect, test } from "vitest";
import type { CompleteLog } from "../../../src/log/complete.ts";
import type { LogEntry, TailBatch } from "../../../src/log/log.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { PlainLog, PlainStore } from "../../../src/testing/index.ts";
import { joined, openHub } from "../../support/hub.ts";

test("a client of a log that was restored from a copy and went on is told of everything that it may have missed", async () => {
  const store = new PlainStore({ maxEvents: 2 });
  const { hub } = openHub({ log: new PlainLog(store) });
  await hub.channel("a").dispatch("old", 1);
  const restore = store.copy();
  let lastEventId = "";
  for (let n = 2; n <= 100; n++) lastEventId = await hub.channel("a").dispatch("old", n);
  restore();
  for (let n = 1; n <= 106; n++) await hub.channel("a").dispatch("new", n);
  const { hub: other } = openHub({ log: new PlainLog(store) });
  const client = await joined(other, "a", { lastEventId });
  expect(client.control("gap")).toEqual([{ missed: 105, from: 1, to: 105, reason: "unverified", exact: false }]);
  expect(client.data).toEqual(["105", "106"]);
  expect((await client.reconnect()).events).toEqual([]);
});

test.each([undefined, { maxEvents: 1 }])(
  "a superseded event is for a client whose filter rejects the newer one",
  async (ring) => {
    const { hub } = openHub(ring === undefined ? {} : { ring });
    const lastEventId = await hub.cursor();
    await hub.channel("a").dispatch("n", "one", { key: "k" });
    await hub.channel("a").dispatch("n", "two", { key: "k", sender: "me" });
    await hub.channel("a").dispatch("n", "three");
    const filter = ({ data }: { data: string }) => data !== "two";
    for (const options of [{ filter }, { sender: "me" }]) {
      const client = await joined(hub, { channels: ["a"], ...options }, { lastEventId });
      expect(client.data).toEqual(["one", "three"]);
    }
    expect((await joined(hub, "a", { lastEventId })).data).toEqual(["two", "three"]);
  },
);

/** A memory log of which the tail, and `read` too if asked, leave out the second entry. */
function logWithHole(isGone: boolean): CompleteLog {
  const kept = (entries: readonly LogEntry[]) => entries.filter(({ offset }) => offset !== 2);
  return new Proxy(memoryLog() as CompleteLog, {
    get(log, name) {
      if (name === "tail") {
        return (...[after, onEntries, onError]: Parameters<CompleteLog["tail"]>) =>
          log.tail(after, ({ epoch, entries }: TailBatch) => onEntries({ epoch, entries: kept(entries) }), onError);
      }
      if (name === "read" && isGone) {
        return async (...args: Parameters<CompleteLog["read"]>) => {
          const page = await log.read(...args);
          return { ...page, entries: kept(page.entries) };
        };
      }
      const value = log[name as keyof CompleteLog] as unknown;
      return typeof value === "function" ? value.bind(log) : value;
    },
  });
}

test.each([
  ["that the log still has is read again", false, ["1", "2", "3"], []],
  [
    "that is still there after that is declared",
    true,
    ["1", "3"],
    [{ missed: 1, from: 2, to: 2, reason: "missing", exact: false }],
  ],
])("a hole %s", async (_, isGone, data, gaps) => {
  const { hub } = openHub({ log: logWithHole(isGone) });
  const client = await joined(hub, "a");
  for (const n of [1, 2, 3]) await hub.channel("a").dispatch("n", n);
  await client.settle();
  expect([client.data, client.control("gap"), client.ended]).toEqual([data, gaps, false]);
});
