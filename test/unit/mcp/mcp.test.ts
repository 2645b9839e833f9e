/** The bus and the store for MCP servers, on a hub. */
import { describe, expect, test } from "vitest";
import { createHub } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { eventBus, eventStore } from "../../../src/mcp/index.ts";
import { openHub } from "../../support/hub.ts";

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

  test("lets no message fall between a replay and the stream that the server registers after it", async () => {
    const { hub } = openHub();
    const store = eventStore(hub, { session: "s" });
    const first = await store.storeEvent("a", message(1));
    await store.storeEvent("a", message(2));
    const delivered: unknown[] = [];
    let isRegistered = false;
    const storing: Promise<unknown>[] = [];
    // As the transport of the SDK does it: store, then send to the stream of the client, if there is one.
    const publish = async (stream: string, one: object) => {
      await store.storeEvent(stream, one);
      if (isRegistered && stream === "a") delivered.push(one);
    };
    await store.replayEventsAfter(first, {
      send: async (_, one) => {
        delivered.push(one);
        // The page was read before this one is stored. A message of another stream waits for nothing.
        storing.push(publish("a", message(3)));
        await publish("b", message(4));
      },
    });
    isRegistered = true;
    await Promise.all(storing);
    expect(delivered).toEqual([message(2), message(3)]);
    await publish("a", message(5));
    expect(delivered).toHaveLength(3);
  });

  test("holds a message no longer than until the replay has sent it, or has failed", async () => {
    const log = memoryLog();
    const answer = Promise.withResolvers<void>();
    const append = log.append.bind(log);
    // The answer to the second append comes when the replay has read the message.
    let appends = 0;
    log.append = async (entries) => {
      const positions = await append(entries);
      if (++appends === 2) await answer.promise;
      return positions;
    };
    const store = eventStore(openHub({ log }).hub, { session: "s" });
    const first = await store.storeEvent("a", message(1));
    const second = store.storeEvent("a", message(2));
    await store.storeEvent("a", message(3));
    let last: Promise<string> | undefined;
    const failing = store.replayEventsAfter(first, {
      send: async (id) => {
        answer.resolve();
        // The first message to be sent is the second one, which is settled when the next is sent.
        if (last !== undefined) {
          expect(await second).not.toBe(id);
          throw new Error("the client has left");
        }
        last = store.storeEvent("a", message(4));
      },
    });
    await expect(failing).rejects.toThrow("the client has left");
    expect((await replayed(store, first)).sent.at(-1)?.[0]).toBe(await last);
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
