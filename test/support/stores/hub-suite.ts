/** The hub on a log that several processes share: what memory and SQLite do today, every log must do. */
import { describe, expect, test } from "vitest";
import type { HubOptions } from "../../../src/index.ts";
import { completeLog } from "../../../src/log/complete.ts";
import type { Log, Retention } from "../../../src/log/log.ts";
import { presence } from "../../../src/presence/index.ts";
import { eventually } from "../deadline.ts";
import { follow, type HubClient, openHub } from "../hub.ts";
import { Machine } from "../machine.ts";

/** Opens a log on the storage of the test: as often as it is called, each as in a process of its own. */
export type OpenLog = () => Log | Promise<Log>;

/** Calls back with an empty storage for each test, and removes it afterwards. */
export type WithStorage = (retention: Retention, body: (open: OpenLog) => Promise<void>) => Promise<void>;

/** Defines the tests. The logs that a test opens are closed with its hubs. */
export function testHubs(name: string, withStorage: WithStorage): void {
  const scenario = (title: string, retention: Retention, body: (hubs: Hubs) => Promise<void>) =>
    test(title, () => withStorage(retention, (open) => runWith(open, body)));

  describe(`hubs on ${name}`, () => {
    scenario("subscribers of all processes get all events in one order", {}, async ({ open }) => {
      const [a, b] = [await open(), await open()];
      const clients = [await follow(a.hub, ["news", "sport"]), await follow(b.hub, ["sport", "news"])];
      await opened(...clients);
      await Promise.all(numbers(40).map((i) => (i % 2 ? a : b).hub.channel(i % 3 ? "news" : "sport").dispatch("n", i)));
      for (const client of clients) await client.until(() => client.data.length === 40);
      expect(clients[1]?.data).toEqual(clients[0]?.data);
      expect(clients[0]?.data.map(Number).sort((one, other) => one - other)).toEqual(numbers(40));
    });

    scenario("a client that moves to another process misses nothing, and gets nothing twice", {}, async ({ open }) => {
      const [a, b] = [await open(), await open()];
      let client = await follow(a.hub, "news");
      const received: string[] = [];
      await opened(client);
      for (const round of numbers(6)) {
        await a.hub.channel("news").dispatch("n", `${round} while connected`);
        await client.until(() => client.data.length > 0 && client.data.at(-1) === `${round} while connected`);
        received.push(...client.data);
        await client.leave();
        await b.hub.channel("news").dispatch("n", `${round} while away`);
        client = await follow(round % 2 ? b.hub : a.hub, "news", { lastEventId: client.lastEventId });
        await client.until(() => client.data.length > 0);
      }
      received.push(...client.data);
      expect(received).toEqual(numbers(6).flatMap((round) => [`${round} while connected`, `${round} while away`]));
    });

    scenario("a client that missed trimmed events is told how many", { maxEvents: 5 }, async ({ open }) => {
      const { hub, log } = await open();
      const news = hub.channel("news");
      const first = await news.dispatch("n", 1);
      for (const n of numbers(20).slice(1)) await news.dispatch("n", n);
      await eventually(
        "it is trimmed",
        () => log.head(),
        ({ floor }) => floor.offset === 15,
      );
      const client = await follow(hub, "news", { lastEventId: first });
      await client.until(() => client.data.length === 5);
      // A log that forgets the witness of a trimmed entry cannot tell that the client has the real one.
      const [witness] = await completeLog(log).witnesses([1]);
      const loss =
        witness === undefined
          ? { missed: 15, from: 1, reason: "unverified" }
          : { missed: 14, from: 2, reason: "trimmed" };
      expect(client.control("gap")).toMatchObject([{ ...loss, to: 15 }]);
      expect(client.data).toEqual(["16", "17", "18", "19", "20"]);
    });

    scenario(
      "a new client gets the latest value of each key, whichever process wrote it",
      { maxEvents: 4 },
      async ({ open }) => {
        const [a, b] = [await open(), await open()];
        for (const n of numbers(6)) await (n % 2 ? a : b).hub.channel("sensors").dispatch("t", n, { key: `s${n % 3}` });
        for (const n of numbers(6)) await a.hub.channel("noise").dispatch("n", n);
        const client = await follow(b.hub, { channels: ["sensors"] });
        await client.until(() => client.data.length === 3);
        expect(client.data).toEqual(["4", "5", "6"]);
        await a.hub.channel("sensors").dispatch("t", 7, { key: "s1" });
        await client.until(() => client.data.length === 4);
        expect(client.data.at(-1)).toBe("7");
      },
    );

    scenario("a channel that ends in one process ends in the others", {}, async ({ open }) => {
      const [a, b] = [await open(), await open()];
      const run = a.hub.channel("run");
      const client = await follow(b.hub, "run");
      await opened(client);
      await run.dispatch("n", 1);
      await run.end();
      await client.end();
      expect(client.types).toEqual(["n", "sse:end"]);
      expect((await follow(b.hub, "run", { lastEventId: client.lastEventId })).status).toBe(204);
    });

    scenario("publishing is idempotent and conditional across processes", {}, async ({ open }) => {
      const [a, b] = [(await open()).hub.channel("news"), (await open()).hub.channel("news")];
      const first = await a.dispatch("n", 1, { idempotencyKey: "once" });
      expect(await b.dispatch("n", 1, { idempotencyKey: "once" })).toBe(first);
      const second = await b.dispatch("n", 2, { after: first });
      await expect(a.dispatch("n", "late", { after: first })).rejects.toMatchObject({ code: "ERR_SSE_CONFLICT" });
      await a.dispatch("n", 3, { after: second });
    });

    scenario(
      "a channel that one process clears is gone in all of them, or the log says that it cannot",
      {},
      async ({ open }) => {
        const [a, b] = [await open(), await open()];
        const chat = a.hub.channel("chat");
        const first = await chat.dispatch("n", "secret 1");
        if (!a.log.capabilities.has("clear")) {
          await expect(chat.clear()).rejects.toMatchObject({ code: "ERR_SSE_OPTION" });
          return;
        }
        await chat.dispatch("n", "secret 2", { key: "k" });
        await a.hub.channel("other").dispatch("n", "kept");
        // Whatever a process keeps in memory for those that come next has the secrets now.
        const before = await follow(b.hub, { channels: ["chat"], from: "start" });
        await before.until(() => before.data.length === 2);
        await b.hub.channel("chat").clear();
        await chat.dispatch("n", "new");
        await before.until(() => before.data.length === 3);
        for (const { hub } of [a, b]) {
          const client = await follow(hub, ["chat", "other"], { lastEventId: first });
          await client.until(() => client.data.at(-1) === "new");
          expect(client.types).toEqual(["n", "sse:gap", "n"]);
          expect(client.control("gap")).toMatchObject([{ reason: "cleared", from: 2, to: 2, channels: ["chat"] }]);
          const whole = await follow(hub, { channels: ["*"], from: "start" });
          await whole.until(() => whole.data.at(-1) === "new");
          expect(whole.data).toEqual(["kept", "new"]);
        }
        expect(before.types).toEqual(["n", "n", "n"]);
      },
    );

    scenario("rewind and from give a new client the past", {}, async ({ open }) => {
      const { hub } = await open();
      for (const n of numbers(6)) await hub.channel(n % 2 ? "odd" : "even").dispatch("n", n);
      const rewound = await follow(hub, { channels: ["odd"], rewind: 2 });
      await rewound.until(() => rewound.data.length === 2);
      expect(rewound.data).toEqual(["3", "5"]);
      const whole = await follow(hub, { channels: ["even", "odd"], from: "start" });
      await whole.until(() => whole.data.length === 6);
      expect(whole.data).toEqual(["1", "2", "3", "4", "5", "6"]);
    });

    scenario("a snapshot stands in for events that are gone", { maxEvents: 2 }, async ({ open }) => {
      const { hub, log } = await open({
        snapshot: async () => ({ cursor: await hub.cursor(), events: [{ type: "state", data: "all" }] }),
      });
      const first = await hub.channel("news").dispatch("n", 1);
      for (const n of numbers(6)) await hub.channel("news").dispatch("n", n);
      await eventually(
        "it is trimmed",
        () => log.head(),
        ({ floor }) => floor.offset === 5,
      );
      const client = await follow(hub, "news", { lastEventId: first });
      await client.until(() => client.types.includes("sse:checkpoint"));
      expect(client.types).toEqual(["sse:gap", "state", "sse:checkpoint"]);
    });

    scenario("a process that drains hands its clients over", {}, async ({ open }) => {
      const [a, b] = [await open(), await open()];
      const client = await follow(a.hub, "news");
      await opened(client);
      await b.hub.channel("news").dispatch("n", 1);
      await client.until(() => client.data.length === 1);
      await a.hub.drain({ within: 50 });
      await client.end();
      await b.hub.channel("news").dispatch("n", 2);
      const moved = await follow(b.hub, "news", { lastEventId: client.lastEventId });
      await moved.until(() => moved.data.length === 1);
      expect([client.data, moved.data]).toEqual([["1"], ["2"]]);
    });

    scenario("members are those of all processes, without those of a process that is dead", {}, async ({ open }) => {
      const options = { presence: presence({ grace: 100, lease: 400 }) };
      const [a, b] = [await open(options), await open(options)];
      const ada = await follow(a.hub, { channels: ["room"], member: { id: "ada" } });
      const bob = await follow(b.hub, { channels: ["room"], member: { id: "bob" } });
      await opened(ada, bob);
      const idsOn = (hub: Hubs["all"][number]["hub"]) => async () =>
        (await hub.channel("room").members()).map(({ id }) => id).sort();
      for (const { hub } of [a, b]) await eventually("both are there", idsOn(hub), (ids) => ids.join() === "ada,bob");
      a.machine.die();
      await eventually("its members are gone", idsOn(b.hub), (ids) => ids.join() === "bob");
      await bob.until(() => bob.types.includes("leave"));
      a.expectErrors();
    });
  });
}

interface Hubs {
  readonly all: Awaited<ReturnType<Hubs["open"]>>[];
  open(
    options?: HubOptions,
  ): Promise<ReturnType<typeof openHub> & { log: Log; machine: Machine; expectErrors(): void }>;
}

async function runWith(openLog: OpenLog, body: (hubs: Hubs) => Promise<void>): Promise<void> {
  const logs: Log[] = [];
  const all: Hubs["all"] = [];
  try {
    await body({
      all,
      async open(options = {}) {
        const log = await openLog();
        logs.push(log);
        const machine = new Machine(log);
        const opened = openHub({ log: machine, ...options });
        const one = { ...opened, log, machine, expectErrors: () => ignoreErrors(opened) };
        all.push(one);
        return one;
      },
    });
  } finally {
    for (const { hub } of all) await hub.close();
    for (const log of logs) await log.close();
  }
}

/** A machine that is dead fails in the background until it is closed. */
function ignoreErrors({ errors }: ReturnType<typeof openHub>): void {
  errors.length = 0;
  errors.push = () => 0;
}

/** Each has received the position at which it begins. */
async function opened(...clients: HubClient[]): Promise<void> {
  for (const client of clients) await client.until(() => client.opening !== null);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
