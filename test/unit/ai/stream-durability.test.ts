/** The durability adapter of TanStack AI on a hub. */
import { describe, expect, test } from "vitest";
import { streamDurability } from "../../../src/ai/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { openHub } from "../../support/hub.ts";
import { request } from "../../support/web.ts";

interface Chunk {
  type: string;
}

async function chunksOf(chunks: AsyncIterable<{ chunk: Chunk }>): Promise<string[]> {
  const types: string[] = [];
  for await (const { chunk } of chunks) types.push(chunk.type);
  return types;
}

describe("streamDurability()", () => {
  test("stores chunks that another process reads after any offset, until the run is closed", async () => {
    const log = memoryLog();
    const producer = streamDurability<Chunk>(openHub({ log }).hub, { runId: "1" });
    const reader = streamDurability<Chunk>(openHub({ log }).hub, { runId: "1" });
    const offsets = await producer.append([{ type: "a" }, { type: "b" }]);
    expect(new Set(offsets).size).toBe(2);
    const all = chunksOf(reader.read("-1"));
    const rest = chunksOf(reader.read(offsets[0] as string));
    await producer.append([{ type: "c" }]);
    expect(await reader.snapshot()).toEqual([
      { offset: offsets[0], chunk: { type: "a" } },
      { offset: offsets[1], chunk: { type: "b" } },
      { offset: expect.any(String), chunk: { type: "c" } },
    ]);
    await producer.close();
    await producer.close();
    expect([await all, await rest]).toEqual([
      ["a", "b", "c"],
      ["b", "c"],
    ]);
  });

  test("takes the run and the offset from the request", async () => {
    const { hub } = openHub();
    const offsetOf = (init: Parameters<typeof request>[0]) => streamDurability(hub, request(init)).resumeFrom();
    expect(offsetOf({})).toBe(null);
    expect(offsetOf({ query: "?runId=1&offset=-1" })).toBe("-1");
    expect(offsetOf({ query: "?offset=-1", headers: { "last-event-id": "x.1.1" } })).toBe("x.1.1");
    await streamDurability<Chunk>(hub, request({ headers: { "x-run-id": "7" } })).append([{ type: "a" }]);
    expect(await streamDurability<Chunk>(hub, { runId: "7" }).snapshot()).toHaveLength(1);
    await streamDurability<Chunk>(hub, { runId: "7" }).close();
  });

  test("fails for a run that was never produced, and for an offset that the log does not have", async () => {
    const { hub } = openHub();
    const durability = streamDurability<Chunk>(hub, { runId: "1" }, { firstChunkTimeout: 50 });
    expect(await durability.snapshot()).toEqual([]);
    await expect(chunksOf(durability.read("-1"))).rejects.toThrow("firstChunkTimeout");
    await expect(chunksOf(durability.read("nonsense"))).rejects.toThrow("start a new run");
    await durability.close();
    expect(await durability.snapshot()).toEqual([]);
  });

  test("ends a run whose producer shows no sign of life with RUN_ERROR", async () => {
    const log = memoryLog();
    // The process that appended this has died: nothing beats.
    const dead = streamDurability<Chunk>(openHub({ log }).hub, { runId: "1" }, { lease: false });
    await dead.append([{ type: "a" }]);
    const reader = streamDurability<Chunk>(openHub({ log }).hub, { runId: "1" }, { lease: 100 });
    expect(await chunksOf(reader.read("-1"))).toEqual(["a", "RUN_ERROR"]);
    await dead.close();
  });

  test("keeps a run of a producer that thinks for long", async () => {
    const log = memoryLog();
    const producer = streamDurability<Chunk>(openHub({ log }).hub, { runId: "1" }, { lease: 150 });
    await producer.append([{ type: "a" }]);
    const reader = streamDurability<Chunk>(openHub({ log }).hub, { runId: "1" }, { lease: 150 });
    const all = chunksOf(reader.read("-1"));
    await new Promise((resolve) => setTimeout(resolve, 600));
    await producer.append([{ type: "b" }]);
    await producer.close();
    expect(await all).toEqual(["a", "b"]);
  });

  test("stops reading at the signal", async () => {
    const durability = streamDurability<Chunk>(openHub().hub, { runId: "1" });
    await durability.append([{ type: "a" }]);
    const controller = new AbortController();
    const types: string[] = [];
    for await (const { chunk } of durability.read("-1", controller.signal)) {
      types.push(chunk.type);
      controller.abort();
    }
    expect(types).toEqual(["a"]);
    await durability.close();
  });
});
