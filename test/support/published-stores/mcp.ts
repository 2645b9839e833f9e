/** The behaviour that the tests of `@modelcontextprotocol/sdk` assert of an event store, at the interface that its transport calls. */
import { expect, test } from "vitest";
import type { Hub } from "../../../src/index.ts";
import { eventStore, type McpEventStore } from "../../../src/mcp/index.ts";
import type { WithStorage } from "../stores/hub-suite.ts";
import { withProcesses } from "./processes.ts";

type Sent = [id: string, message: unknown];

const log = (data: string) => ({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data } });

async function replayed(store: McpEventStore, after: string): Promise<{ stream: string; sent: Sent[] }> {
  const sent: Sent[] = [];
  const stream = await store.replayEventsAfter(after, { send: async (id, message) => void sent.push([id, message]) });
  return { stream, sent };
}

/** Defines the tests. Events are stored in one process, and replayed in another. */
export function testEventStores(withStorage: WithStorage): void {
  const scenario = (title: string, body: (one: McpEventStore, two: McpEventStore, hub: Hub) => Promise<void>) =>
    test(
      title,
      withProcesses(withStorage, async (open) => {
        const hubs = [await open(), await open()] as const;
        const [one, two] = hubs.map((hub) => eventStore(hub, { session: "s" })) as [McpEventStore, McpEventStore];
        await body(one, two, hubs[0]);
      }),
    );

  scenario("every event gets an id of its own, which fits into a field of a stream", async (one, two) => {
    const ids: string[] = [];
    for (const stream of ["a", "b", "_GET_stream"]) {
      // The first event of a stream has no message to send: `{}`.
      for (const message of [{}, log("1")]) ids.push(await one.storeEvent(stream, message));
    }
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[\x21-\x7e]+$/);
    expect(await two.getStreamIdForEventId(ids[4] as string)).toBe("_GET_stream");
  });

  scenario("the events after an id are replayed in order, with their ids, and without that one", async (one, two) => {
    const ids: string[] = [];
    for (const data of ["anchor", "1", "2", "3"]) ids.push(await one.storeEvent("a", log(data)));
    const { stream, sent } = await replayed(two, ids[0] as string);
    expect(stream).toBe("a");
    expect(sent).toEqual(["1", "2", "3"].map((data, index) => [ids[index + 1], log(data)]));
    expect(await replayed(two, ids[3] as string)).toEqual({ stream: "a", sent: [] });
  });

  scenario("the events of one stream are replayed, whatever lies between them", async (one, two) => {
    const anchor = await one.storeEvent("a", log("anchor"));
    for (let count = 0; count < 20; count++) {
      await one.storeEvent("b", log(`b ${count}`));
      if (count % 7 === 0) await one.storeEvent("a", log(`a ${count}`));
    }
    const { sent } = await replayed(two, anchor);
    expect(sent.map(([, message]) => message)).toEqual([log("a 0"), log("a 7"), log("a 14")]);
  });

  scenario("an id that is of no event of the session has no stream, and is not replayed", async (one, two, hub) => {
    const foreign = await eventStore(hub, { session: "other" }).storeEvent("a", log("secret"));
    await one.storeEvent("a", log("1"));
    for (const id of ["", "not-an-id", "evt-unmappable", foreign]) {
      expect(await two.getStreamIdForEventId(id)).toBeUndefined();
      await expect(replayed(two, id)).rejects.toThrow("does not belong to this session");
    }
  });

  scenario(
    "events that are stored while no client is connected are replayed to the one that comes back",
    async (one, two) => {
      const first = await one.storeEvent("a", log("1"));
      const before = await replayed(two, first);
      const second = await one.storeEvent("a", log("2"));
      const third = await two.storeEvent("a", log("3"));
      expect(before.sent).toEqual([]);
      expect((await replayed(two, first)).sent.map(([id]) => id)).toEqual([second, third]);
      // And again: a replay consumes nothing.
      expect((await replayed(one, second)).sent.map(([id]) => id)).toEqual([third]);
    },
  );

  scenario("a replay whose client has left is rejected with the error of its send", async (one, two) => {
    const first = await one.storeEvent("a", log("1"));
    await one.storeEvent("a", log("2"));
    const send = () => Promise.reject(new Error("the client has left"));
    await expect(two.replayEventsAfter(first, { send })).rejects.toThrow("the client has left");
    expect((await replayed(two, first)).sent).toHaveLength(1);
  });

  scenario("messages come back as they were", async (one, two) => {
    const anchor = await one.storeEvent("a", {});
    const messages = [
      { jsonrpc: "2.0", id: "x", result: { content: [{ type: "text", text: "line\r\nline\u2028\0 \u{1f600}" }] } },
      { jsonrpc: "2.0", id: 0, error: { code: -32000, message: "" } },
      { jsonrpc: "2.0", method: "m", params: { __proto__: null, constructor: null, large: "x".repeat(100_000) } },
    ];
    for (const message of messages) await one.storeEvent("a", message);
    expect((await replayed(two, anchor)).sent.map(([, message]) => JSON.stringify(message))).toEqual(
      messages.map((message) => JSON.stringify(message)),
    );
  });
}
