/** The behaviour that the tests and the documentation of `@tanstack/ai` ask of a durability adapter. */
import { expect, test } from "vitest";
import { type StreamDurability, type StreamDurabilityOptions, streamDurability } from "../../../src/ai/index.ts";
import type { Hub } from "../../../src/index.ts";
import type { WithStorage } from "../stores/hub-suite.ts";
import { withProcesses } from "./processes.ts";

interface Chunk {
  type: string;
  delta?: string;
}

const text = (delta: string): Chunk => ({ type: "TEXT_MESSAGE_CONTENT", delta });
const finished: Chunk = { type: "RUN_FINISHED" };

/** An adapter for a request: its query and its headers. */
function requested(
  hub: Hub,
  query: string,
  headers: Record<string, string> = {},
  options?: StreamDurabilityOptions,
): StreamDurability<Chunk> {
  return streamDurability<Chunk>(hub, new Request(`http://localhost/chat${query}`, { headers }), options);
}

/** The labels of what a reader has received so far. */
function reading(adapter: StreamDurability<Chunk>, signal?: AbortSignal): { labels: string[]; done: Promise<void> } {
  const labels: string[] = [];
  const read = async (): Promise<void> => {
    for await (const { chunk } of adapter.read(adapter.resumeFrom() as string, signal)) {
      labels.push(chunk.delta ?? chunk.type);
    }
  };
  return { labels, done: read() };
}

async function labelsOf(adapter: StreamDurability<Chunk>): Promise<string[]> {
  const { labels, done } = reading(adapter);
  await done;
  return labels;
}

/** Defines the tests. The producer and the readers are in different processes. */
export function testStreamDurability(withStorage: WithStorage): void {
  const scenario = (title: string, body: (one: Hub, two: Hub) => Promise<void>) =>
    test(
      title,
      withProcesses(withStorage, async (open) => body(await open(), await open())),
    );

  scenario(
    "a producer has no offset, and each chunk gets one of its own, which readers get again",
    async (one, two) => {
      const producer = requested(one, "?runId=r");
      expect(producer.resumeFrom()).toBeNull();
      const offsets = await producer.append(["a", "b", "c"].map(text));
      expect(new Set(offsets).size).toBe(3);
      await producer.close();
      const entries = [];
      for await (const entry of requested(two, "?runId=r").read("-1")) entries.push(entry);
      expect(entries).toEqual(["a", "b", "c"].map((delta, index) => ({ offset: offsets[index], chunk: text(delta) })));
    },
  );

  scenario("a reader resumes strictly after its offset, from the header or the query", async (one, two) => {
    const producer = requested(one, "?runId=r");
    const [first, second, third] = await producer.append(["a", "b", "c"].map(text));
    await producer.close();
    const byHeader = requested(two, "", { "last-event-id": `${second}` });
    expect(byHeader.resumeFrom()).toBe(second);
    expect(await labelsOf(byHeader)).toEqual(["c"]);
    expect(await labelsOf(requested(two, `?offset=${encodeURIComponent(`${first}`)}`))).toEqual(["b", "c"]);
    expect(await labelsOf(requested(two, `?offset=${encodeURIComponent(`${third}`)}`))).toEqual([]);
  });

  scenario("the run is named by the header, or else by the query", async (one, two) => {
    const producer = requested(one, "?runId=query", { "x-run-id": "header" });
    await producer.append([text("a")]);
    await producer.close();
    expect(await labelsOf(requested(two, "?runId=header&offset=-1"))).toEqual(["a"]);
    expect(await requested(two, "?runId=query").snapshot()).toEqual([]);
  });

  scenario(
    "a reader from the start follows until the producer closes, past chunks that look final",
    async (one, two) => {
      const producer = requested(one, "?runId=r");
      await producer.append([text("a")]);
      const reader = reading(requested(two, "?runId=r&offset=-1"));
      await expect.poll(() => reader.labels).toEqual(["a"]);
      // A run that calls tools finishes once for each turn.
      await producer.append([finished, text("b")]);
      await producer.append([finished]);
      await expect.poll(() => reader.labels).toEqual(["a", "RUN_FINISHED", "b", "RUN_FINISHED"]);
      await producer.close();
      await reader.done;
    },
  );

  scenario("a reader from now gets what comes later", async (one, two) => {
    const producer = requested(one, "?runId=r");
    await producer.append([text("old")]);
    const joining = requested(two, "?runId=r&offset=now");
    const entries = joining.read("now")[Symbol.asyncIterator]();
    const next = entries.next();
    // It has its position when it has asked for the first chunk.
    await two.channel("other").dispatch("message", "");
    await expect
      .poll(async () => {
        await producer.append([text("new")]);
        return Promise.race([next.then(() => true), new Promise((resolve) => setImmediate(resolve, false))]);
      })
      .toBe(true);
    expect((await next).value?.chunk).toEqual(text("new"));
    await producer.close();
    for (let result = await entries.next(); !result.done; result = await entries.next()) {
      expect(result.value.chunk).toEqual(text("new"));
    }
    expect(await labelsOf(requested(two, "?runId=r&offset=now"))).toEqual([]);
  });

  scenario("a reader that waits for the first chunk ends at its signal", async (one) => {
    const controller = new AbortController();
    const reader = reading(
      requested(one, "?runId=never&offset=-1", {}, { firstChunkTimeout: "1h" }),
      controller.signal,
    );
    await new Promise(setImmediate);
    controller.abort();
    await reader.done;
    expect(reader.labels).toEqual([]);
  });

  scenario(
    "a reader of a run that has no chunk fails after the time for it, and one that has some waits",
    async (one, two) => {
      const options = { firstChunkTimeout: 30 };
      await expect(labelsOf(requested(two, "?runId=none&offset=-1", {}, options))).rejects.toThrow("30 ms");
      const producer = requested(one, "?runId=slow");
      await producer.append([text("a")]);
      const reader = reading(requested(two, "?runId=slow&offset=-1", {}, options));
      await expect.poll(() => reader.labels).toEqual(["a"]);
      await new Promise((resolve) => setTimeout(resolve, 60));
      await producer.append([text("b")]);
      await producer.close();
      await reader.done;
      expect(reader.labels).toEqual(["a", "b"]);
    },
  );

  scenario("a producer that closes before its first chunk ends its readers", async (one, two) => {
    const reader = reading(requested(two, "?runId=r&offset=-1", {}, { firstChunkTimeout: "1h" }));
    await requested(one, "?runId=r").close();
    await reader.done;
    expect(reader.labels).toEqual([]);
    expect(await requested(two, "?runId=r").snapshot()).toEqual([]);
  });

  scenario("an offset that the store does not have fails, and waits for nothing", async (one, two) => {
    const producer = requested(one, "?runId=r");
    const [offset] = await producer.append([text("a")]);
    await producer.close();
    const foreign = `${offset}`.replace(/^[^.]+/, "00000000");
    await expect(labelsOf(requested(two, "", { "last-event-id": foreign }))).rejects.toThrow("start a new run");
  });

  scenario("run ids with line ends and offsets of others are rejected at once", async (one) => {
    expect(() => requested(one, `?runId=${encodeURIComponent("evil\ninjected")}`)).toThrow("runId");
    expect(() => requested(one, "", { "last-event-id": "another-backend:cursor" })).toThrow("offset");
  });

  scenario("a snapshot returns while the run is open, and is the caller's own", async (one, two) => {
    const producer = requested(one, "?runId=r");
    const [offset] = await producer.append([text("a")]);
    const snapshot = await requested(two, "?runId=r").snapshot();
    expect(snapshot).toEqual([{ offset, chunk: text("a") }]);
    snapshot[0] = { offset: "changed", chunk: finished };
    expect(await requested(two, "?runId=r").snapshot()).toEqual([{ offset, chunk: text("a") }]);
    await producer.close();
  });

  scenario(
    "a producer that takes over lines its output up with the snapshot, and readers get each chunk once",
    async (one, two) => {
      const all = ["a", "b", "c", "d"].map(text);
      const reader = reading(requested(two, "?runId=r&offset=-1"));
      // This one dies without close().
      await requested(one, "?runId=r").append(all.slice(0, 2));
      const successor = requested(two, "?runId=r");
      const stored = await successor.snapshot();
      expect(all.slice(0, stored.length)).toEqual(stored.map(({ chunk }) => chunk));
      await successor.append(all.slice(stored.length));
      await successor.close();
      await reader.done;
      expect(reader.labels).toEqual(["a", "b", "c", "d"]);
    },
  );
}
