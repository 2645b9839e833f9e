/** The durability adapter of TanStack AI on a hub. */
import { describe, expect, test } from "vitest";
import { streamDurability } from "../../../src/ai/index.ts";
import { LogError } from "../../../src/base/errors.ts";
import { createHub } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { openHub } from "../../support/hub.ts";
import { freezable, overLog } from "../../support/runs.ts";
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

  test.each([undefined, null, {}, "run 1", { url: 5, headers: {} }])("rejects the source %j", (source) => {
    expect(() => streamDurability(createHub(), source as never)).toThrow(/source/);
  });

  test.each(["another-backend:cursor", "7", "/", "abc/%"])("rejects the offset %s", (offset) => {
    const coded = expect.objectContaining({ code: "ERR_SSE_CURSOR" });
    expect(() => streamDurability(createHub(), { runId: "r", offset })).toThrow(coded);
    const headers = { "last-event-id": offset };
    expect(() => streamDurability(createHub(), request({ headers }))).toThrow(coded);
  });

  test.each(["a\nb", "a\rb"])("rejects the run id %j", (runId) => {
    expect(() => streamDurability(createHub(), { runId })).toThrow(/runId/);
  });

  test.each([undefined, "x", [undefined], [1n]])("rejects the chunks %s", async (chunks) => {
    await using hub = createHub();
    const durability = streamDurability(hub, { runId: "r" });
    await expect(durability.append(chunks as never)).rejects.toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_SSE_/) }),
    );
  });

  test("takes the run and the offset from the request", async () => {
    const { hub } = openHub();
    const offsetOf = (init: Parameters<typeof request>[0]) => streamDurability(hub, request(init)).resumeFrom();
    expect(offsetOf({})).toBe(null);
    expect(offsetOf({ query: "?runId=1&offset=-1" })).toBe("-1");
    expect(offsetOf({ query: "?offset=-1", headers: { "last-event-id": "x.1.1/7" } })).toBe("x.1.1/7");
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

  test("resumes with an offset alone, which names its run, and with none of another run", async () => {
    const { hub } = openHub();
    const runId = "a run / of ä";
    const producer = streamDurability<Chunk>(hub, { runId });
    const [first] = await producer.append([{ type: "a" }, { type: "b" }]);
    await producer.close();
    const header = { "last-event-id": `${first}` };
    const query = `?offset=${encodeURIComponent(`${first}`)}`;
    for (const init of [{ headers: header }, { query }, { headers: { ...header, "x-run-id": "another" } }]) {
      const reader = streamDurability<Chunk>(hub, request(init));
      expect(await chunksOf(reader.read(reader.resumeFrom() as string))).toEqual(["b"]);
    }
    const other = streamDurability<Chunk>(hub, { runId: "2" });
    await other.append([{ type: "c" }]);
    await expect(chunksOf(other.read(`${first}`))).rejects.toThrow("another run");
    await other.close();
  });

  test("gives up a reader of later chunks of a run that never has one, and keeps one of a run that is idle", async () => {
    const { hub } = openHub();
    const open = (runId: string) => streamDurability<Chunk>(hub, { runId }, { firstChunkTimeout: 50 });
    await expect(chunksOf(open("never").read("now"))).rejects.toThrow("firstChunkTimeout");
    const producer = open("idle");
    await producer.append([{ type: "a" }]);
    const reading = chunksOf(open("idle").read("now"));
    await new Promise((resolve) => setTimeout(resolve, 150));
    await producer.append([{ type: "b" }]);
    await producer.close();
    expect(await reading).toEqual(["b"]);
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

const hasConflict = expect.objectContaining({ code: "ERR_SSE_CONFLICT" });

describe("a producer", () => {
  test("that wakes up after its run was ended for it writes nothing more", async () => {
    const log = memoryLog();
    const frozen = freezable(log);
    const producer = streamDurability<Chunk>(openHub({ log: frozen.log }).hub, { runId: "1" }, { lease: 150 });
    await producer.append([{ type: "a" }]);
    frozen.freeze();
    const reader = streamDurability<Chunk>(openHub({ log }).hub, { runId: "1" }, { lease: 150 });
    const late = producer.append([{ type: "b" }]);
    late.catch(() => {});
    expect(await chunksOf(reader.read("-1"))).toEqual(["a", "RUN_ERROR"]);
    const { top } = await log.head();
    frozen.thaw();
    await expect(late).rejects.toEqual(hasConflict);
    await expect(producer.append([{ type: "c" }])).rejects.toEqual(hasConflict);
    await producer.close();
    expect((await log.head()).top).toBe(top);
  });

  test("loses the run to the one that takes it over", async () => {
    const log = memoryLog();
    const open = () => streamDurability<Chunk>(openHub({ log }).hub, { runId: "1" }, { lease: false });
    const [first, second] = [open(), open()];
    await first.append([{ type: "a" }]);
    await second.append([{ type: "b" }]);
    await expect(first.append([{ type: "c" }])).rejects.toEqual(hasConflict);
    // The end is for the second one to say.
    await first.close();
    await second.append([{ type: "d" }]);
    await second.close();
    expect(await chunksOf(open().read("-1"))).toEqual(["a", "b", "d"]);
  });

  test("that is never closed counts as dead after idleTimeout, although its process lives", async () => {
    const log = memoryLog();
    const open = () => streamDurability<Chunk>(openHub({ log }).hub, { runId: "1" }, { lease: 150, idleTimeout: 200 });
    await open().append([{ type: "a" }]);
    expect(await chunksOf(open().read("-1"))).toEqual(["a", "RUN_ERROR"]);
  });

  test("shows that it lives again, once it appends after idleTimeout", async () => {
    const log = memoryLog();
    const open = () =>
      streamDurability<Chunk>(openHub({ log }).hub, { runId: "1" }, { lease: 100, idleTimeout: 1_000 });
    const producer = open();
    await producer.append([{ type: "a" }]);
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    await producer.append([{ type: "b" }]);
    const all = chunksOf(open().read("-1"));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await producer.append([{ type: "c" }]);
    await producer.close();
    expect(await all).toEqual(["a", "b", "c"]);
  });

  test("cannot continue a run that has ended", async () => {
    const { hub } = openHub();
    const producer = streamDurability<Chunk>(hub, { runId: "1" });
    await producer.append([{ type: "a" }]);
    await producer.close();
    await expect(producer.append([{ type: "b" }])).rejects.toEqual(hasConflict);
    await expect(streamDurability<Chunk>(hub, { runId: "1" }).append([{ type: "b" }])).rejects.toEqual(hasConflict);
    expect(await producer.snapshot()).toHaveLength(1);
  });

  test("may append without waiting: the order is that of the calls", async () => {
    const producer = streamDurability<Chunk>(openHub().hub, { runId: "1" });
    const types = ["a", "b", "c", "d"];
    const offsets = (await Promise.all(types.map((type) => producer.append([{ type }])))).flat();
    await producer.close();
    expect(await producer.snapshot()).toEqual(
      types.map((type, index) => ({ offset: offsets[index], chunk: { type } })),
    );
  });

  test("appends again after an outage of the log", async () => {
    const log = memoryLog();
    let isDown = true;
    const failing = overLog(log, { head: () => (isDown ? Promise.reject(new LogError("down", false)) : log.head()) });
    const producer = streamDurability<Chunk>(openHub({ log: failing }).hub, { runId: "1" });
    await expect(producer.append([{ type: "a" }])).rejects.toThrow("down");
    isDown = false;
    await producer.append([{ type: "b" }]);
    await producer.close();
    expect(await chunksOf(producer.read("-1"))).toEqual(["b"]);
  });
});
