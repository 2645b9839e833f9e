/** The bus and the store for MCP servers, on a hub. */
import { describe, expect, test } from "vitest";
import { createHub } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { eventBus, eventStore } from "../../../src/mcp/index.ts";
import { delayedLog } from "../../support/delayed-log.ts";
import { randomNumbers } from "../../support/followers.ts";
import { openHub } from "../../support/hub.ts";
import { overLog } from "../../support/runs.ts";

describe("eventBus()", () => {
  test("delivers to the listeners of all processes, until they are removed", async () => {
    const log = memoryLog();
    const [one, two] = [eventBus(openHub({ log }).hub), eventBus(openHub({ log }).hub)];
    const heard: string[] = [];
    const remove = one.subscribe(({ kind }) => heard.push(`one ${kind}`));
    two.subscribe(({ kind }) => heard.push(`two ${kind}`));
    await expect
      .poll(() => {
        one.publish({ kind: "tools_list_changed" });
        return heard;
      })
      .toEqual(expect.arrayContaining(["one tools_list_changed", "two tools_list_changed"]));
    remove();
    remove();
    const count = heard.filter((event) => event.startsWith("one")).length;
    one.publish({ kind: "prompts_list_changed" });
    await expect.poll(() => heard).toContain("two prompts_list_changed");
    expect(heard.filter((event) => event.startsWith("one"))).toHaveLength(count);
  });

  test("tells a listener that may have missed events that all lists have changed", async () => {
    // Of a burst, neither the log nor the process keeps more than two events.
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }), ring: { maxEvents: 2 } });
    const bus = eventBus(hub);
    const heard = new Set<string>();
    bus.subscribe(({ kind }) => heard.add(kind));
    await expect
      .poll(() => {
        for (let i = 0; i < 50; i++) bus.publish({ kind: "resource_updated" });
        return [...heard].sort();
      })
      .toEqual(["prompts_list_changed", "resource_updated", "resources_list_changed", "tools_list_changed"]);
  });

  test("reports an event that the log cannot store", async () => {
    const errors: unknown[] = [];
    const { hub } = openHub();
    const bus = eventBus(hub, { onError: (error) => errors.push(error) });
    await hub.close();
    bus.publish({ kind: "tools_list_changed" });
    await expect.poll(() => errors).toEqual([expect.objectContaining({ code: "ERR_SSE_CLOSED" })]);
  });
});

describe("eventStore()", () => {
  const message = (id: number) => ({ jsonrpc: "2.0", id, result: {} });

  async function replayed(store: ReturnType<typeof eventStore>, after: string) {
    const sent: [id: string, message: unknown][] = [];
    const stream = await store.replayEventsAfter(after, { send: async (id, one) => void sent.push([id, one]) });
    return { stream, sent };
  }

  test("replays the messages of one stream after an event, in another process", async () => {
    const log = memoryLog();
    const [one, two] = [openHub({ log }).hub, openHub({ log }).hub];
    const store = eventStore(one, { session: "s" });
    const first = await store.storeEvent("a", message(1));
    const other = await store.storeEvent("b", message(2));
    const last = await store.storeEvent("a", message(3));
    const again = eventStore(two, { session: "s" });
    expect(await again.getStreamIdForEventId(other)).toBe("b");
    expect(await replayed(again, first)).toEqual({ stream: "a", sent: [[last, message(3)]] });
    expect(await replayed(again, last)).toEqual({ stream: "a", sent: [] });
  });

  test("sends what is stored during a replay, also from within its own send", async () => {
    const { hub } = openHub();
    const store = eventStore(hub, { session: "s" });
    const first = await store.storeEvent("a", message(1));
    await store.storeEvent("a", message(2));
    const sent: unknown[] = [];
    await store.replayEventsAfter(first, {
      send: async (_, one) => {
        sent.push(one);
        if (sent.length === 1)
          await Promise.all([store.storeEvent("a", message(3)), store.storeEvent("b", message(4))]);
        else if (sent.length === 2) await store.storeEvent("a", message(5));
      },
    });
    expect(sent).toEqual([message(2), message(3), message(5)]);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "loses and repeats no message on a slow log, whatever the moment of the replay: seed %i",
    async (seed) => {
      const random = randomNumbers(seed);
      const store = eventStore(openHub({ log: delayedLog(memoryLog(), turns(random, 4)) }).hub, { session: "s" });
      for (let round = 0; round < 12; round++) {
        const streamId = `stream ${round}`;
        const server = new Server(store);
        const first = await store.storeEvent(streamId, message(0));
        const replayAt = Math.floor(random() * 12);
        let replaying: Promise<void> | undefined;
        for (let id = 1; id <= 12; id++) {
          if (id === replayAt) replaying = server.resume(first);
          await server.send(streamId, message(id));
        }
        await (replaying ?? server.resume(first));
        expect(server.received).toEqual(Array.from({ length: 12 }, (_, index) => message(index + 1)));
      }
    },
  );

  test.each(Array.from({ length: 16 }, (_, count) => count))(
    "sends a message that is stored as the replay ends, %i microtasks after its last look at the log",
    async (count) => {
      const log = memoryLog();
      let atHead = (): void => {};
      const head = async () => {
        const answer = await log.head();
        atHead();
        return answer;
      };
      const store = eventStore(openHub({ log: overLog(log, { head }) }).hub, { session: "s" });
      const server = new Server(store);
      const first = await store.storeEvent("a", message(1));
      const sent = Promise.withResolvers<void>();
      atHead = async () => {
        for (let passed = 0; passed < count; passed++) await Promise.resolve();
        server.send("a", message(2)).then(sent.resolve, sent.reject);
      };
      await server.resume(first);
      await sent.promise;
      expect(server.received).toEqual([message(2)]);
    },
  );

  test("has the whole stream for the next replay after one that has failed", async () => {
    const store = eventStore(openHub().hub, { session: "s" });
    const first = await store.storeEvent("a", message(1));
    await store.storeEvent("a", message(2));
    let during: Promise<string> | undefined;
    const failing = store.replayEventsAfter(first, {
      send: async () => {
        during = store.storeEvent("a", message(3));
        throw new Error("the client has left");
      },
    });
    await expect(failing).rejects.toThrow("the client has left");
    const after = store.storeEvent("a", message(4));
    expect((await replayed(store, first)).sent.map(([id]) => id).slice(1)).toEqual([await during, await after]);
  });

  test("gives no session the messages of another one", async () => {
    const { hub } = openHub();
    const mine = eventStore(hub, { session: "mine" });
    const theirs = await eventStore(hub, { session: "theirs" }).storeEvent("a", message(1));
    await hub.channel("news").dispatch("message", "text");
    expect(await mine.getStreamIdForEventId(theirs)).toBe(undefined);
    await expect(replayed(mine, theirs)).rejects.toThrow("does not belong to this session");
    for (const id of ["", "x", "x.1.1", await hub.cursor()]) {
      expect(await mine.getStreamIdForEventId(id)).toBe(undefined);
    }
  });

  test("rejects rather than leave messages out", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }) });
    const store = eventStore(hub, { session: "s" });
    const first = await store.storeEvent("a", message(1));
    for (const id of [2, 3, 4, 5]) await store.storeEvent("a", message(id));
    await expect(replayed(store, first)).rejects.toThrow(/does not belong to this session|too old/);
  });

  test("erases a session", async () => {
    const { hub } = openHub();
    const [store, other] = [eventStore(hub, { session: "s" }), eventStore(hub, { session: "t" })];
    const first = await store.storeEvent("a", message(1));
    const kept = await other.storeEvent("a", message(1));
    await store.delete();
    expect(await store.getStreamIdForEventId(first)).toBe(undefined);
    expect(await other.getStreamIdForEventId(kept)).toBe("a");
  });

  test("rejects messages that JSON cannot express, ids of no event, and listeners that cannot be called", async () => {
    await using hub = createHub();
    const store = eventStore(hub, { session: "s" });
    const coded = expect.objectContaining({ code: expect.stringMatching(/^ERR_SSE_/) });
    await expect(store.storeEvent("a", 1n as never)).rejects.toThrow(coded);
    await expect(store.storeEvent("a", (() => {}) as never)).rejects.toThrow(coded);
    await expect(store.replayEventsAfter(undefined as never, { send: async () => {} })).rejects.toThrow(coded);
    expect(() => eventBus(hub).subscribe(5 as never)).toThrow(coded);
  });

  test.each([undefined, { session: "" }, { sesion: "s" }])("rejects the options %j", (options) => {
    expect(() => eventStore(openHub().hub, options as never)).toThrow(/session/);
  });
});

/** As the transport of the SDK does it: a message is stored, then sent to the stream of the client, if there is one. */
class Server {
  readonly received: unknown[] = [];
  readonly #store: ReturnType<typeof eventStore>;
  #replayed: Set<string> | null = null;

  constructor(store: ReturnType<typeof eventStore>) {
    this.#store = store;
  }

  async send(streamId: string, message: object): Promise<void> {
    const id = await this.#store.storeEvent(streamId, message);
    if (this.#replayed?.has(id) === false) this.received.push(message);
  }

  async resume(lastEventId: string): Promise<void> {
    const replayed = new Set<string>();
    await this.#store.replayEventsAfter(lastEventId, {
      send: async (id, message) => {
        replayed.add(id);
        this.received.push(message);
      },
    });
    // The SDK has more than one async function between the replay and the registration.
    await Promise.resolve();
    await Promise.resolve();
    this.#replayed = replayed;
  }
}

/** So many turns of the event loop at most. */
function turns(random: () => number, most: number): () => Promise<void> {
  return async () => {
    for (let count = Math.floor(random() * most); count > 0; count--) await new Promise(setImmediate);
  };
}
