import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LogError } from "../../../src/base/errors.ts";
import {
  type AppendCall,
  type AppendOutcome,
  AppendQueue,
  type AppendQueueOptions,
  closedError,
  conflict,
  type NewEntry,
} from "../../../src/log/index.ts";
import { tick } from "../../support/web.ts";

const entry = (data: string): NewEntry => ({ channel: "a", type: "t", data });
const textOf = (calls: readonly AppendCall[]) => calls.map(({ entries }) => entries.map(({ data }) => data).join("+"));

/** A store that places what it gets, after `before` had its say. */
function makeStore(before: (calls: readonly AppendCall[]) => unknown = () => {}) {
  const batches: string[][] = [];
  const placed = new Map<string, AppendOutcome>();
  let top = 0;
  const store: AppendQueueOptions["store"] = async (calls) => {
    batches.push(textOf(calls));
    await before(calls);
    return calls.map(({ id, entries }) => {
      const known = placed.get(id) ?? entries.map(() => ({ epoch: "e", offset: ++top, witness: 1 }));
      placed.set(id, known);
      return known;
    });
  };
  return { store, batches, placed };
}

const queues: AppendQueue[] = [];
afterEach(() => Promise.all(queues.splice(0).map((queue) => queue.close())));

function openQueue(options: AppendQueueOptions): AppendQueue {
  const queue = new AppendQueue(options);
  queues.push(queue);
  return queue;
}

const offsets = (appended: readonly { offset: number }[]) => appended.map(({ offset }) => offset);
const lost = (stored: false | "unknown" = "unknown") => new LogError("The connection was lost", stored);

describe("a batch", () => {
  test("has the calls of one tick, in their order, each with its own positions", async () => {
    const { store, batches } = makeStore();
    const queue = openQueue({ store });
    const calls = [queue.append([entry("1"), entry("2")]), queue.append([entry("3")])];
    await null;
    calls.push(queue.append([entry("4")]));
    expect((await Promise.all(calls)).map(offsets)).toEqual([[1, 2], [3], [4]]);
    await queue.append([entry("5")]);
    expect(batches).toEqual([["1+2", "3", "4"], ["5"]]);
  });

  test("is stored after the one before it", async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let begun = 0;
    const { store, batches } = makeStore(() => gates[begun++]?.promise);
    const queue = openQueue({ store });
    const first = queue.append([entry("1")]);
    await tick();
    const second = queue.append([entry("2")]);
    await tick();
    expect(batches).toEqual([["1"]]);
    for (const { resolve } of gates) resolve();
    expect([offsets(await first), offsets(await second)]).toEqual([[1], [2]]);
  });

  test("is bounded by calls and by bytes; a call above the bound is stored alone", async () => {
    const { store, batches } = makeStore();
    const queue = openQueue({ store, maxCalls: 3, maxBytes: 1_000 });
    const texts = ["1", "2", "3", "4", "x".repeat(5_000), "6"];
    await Promise.all(texts.map((text) => queue.append([entry(text)])));
    expect(batches.map((batch) => batch.map((text) => text.slice(0, 1)))).toEqual([
      ["1", "2", "3"],
      ["4"],
      ["x"],
      ["6"],
    ]);
  });

  test("without entries nothing is stored", async () => {
    const { store, batches } = makeStore();
    expect(await openQueue({ store }).append([])).toEqual([]);
    expect(batches).toEqual([]);
  });
});

describe("a failure", () => {
  test("that the store gives as an outcome is that call's alone", async () => {
    const refused = { ...entry("2"), after: { epoch: "e", offset: 0, witness: 1 } };
    const queue = openQueue({
      store: (calls) => calls.map(({ entries: [first] }) => (first === refused ? conflict(refused, 7) : [])),
    });
    const results = await Promise.allSettled([entry("1"), refused, entry("3")].map((each) => queue.append([each])));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { code: "ERR_SSE_CONFLICT" } });
  });

  test("of a whole batch, with nothing stored, is that of the call that caused it", async () => {
    const tooLarge = new LogError("Too large", false);
    const { store } = makeStore((calls) => {
      if (textOf(calls).includes("poison")) throw tooLarge;
    });
    const queue = openQueue({ store });
    const texts = ["1", "2", "poison", "4", "5", "6", "7"];
    const results = await Promise.allSettled(texts.map((text) => queue.append([entry(text)])));
    expect(results.map(({ status }) => status === "fulfilled")).toEqual(texts.map((text) => text !== "poison"));
    expect(results[2]).toMatchObject({ reason: tooLarge });
    const stored = results.flatMap((result) => (result.status === "fulfilled" ? offsets(result.value) : []));
    expect(stored).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("of which nothing is known is reported as such, and not tried again", async () => {
    const { store, batches } = makeStore(() => {
      throw new Error("boom");
    });
    const queue = openQueue({ store });
    const results = await Promise.allSettled([queue.append([entry("1")]), queue.append([entry("2")])]);
    for (const result of results) {
      expect(result).toMatchObject({ reason: { code: "ERR_SSE_LOG", stored: "unknown", message: /boom/ } });
      expect((result as PromiseRejectedResult).reason).toBeInstanceOf(LogError);
    }
    expect(batches).toEqual([["1", "2"]]);
  });

  test("is reported when the store gives too few outcomes", async () => {
    const queue = openQueue({ store: () => [] });
    await expect(queue.append([entry("1")])).rejects.toMatchObject({
      stored: "unknown",
      message: /0 outcomes for 1 calls/,
    });
  });
});

describe("trying again", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("keeps the ids, so that what was stored is not stored twice", async () => {
    const ids: string[][] = [];
    let failures = 3;
    const { store, placed } = makeStore();
    const lossy: AppendQueueOptions["store"] = async (calls) => {
      ids.push(calls.map(({ id, attempt }) => `${attempt} ${id}`));
      const outcomes = await store(calls);
      // Stored, and the answer is lost.
      if (failures-- > 0) throw lost();
      return outcomes;
    };
    const queue = openQueue({ store: lossy, canRetry: (error) => error instanceof LogError });
    const appended = Promise.all([queue.append([entry("1")]), queue.append([entry("2")])]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await appended).map(offsets)).toEqual([[1], [2]]);
    expect(placed.size).toBe(2);
    expect(ids.map((batch) => batch.map((text) => text.slice(0, 1)))).toEqual(
      [1, 2, 3, 4].map((n) => [`${n}`, `${n}`]),
    );
    expect(new Set(ids.flat().map((text) => text.slice(2))).size).toBe(2);
  });

  test("ends at the deadline, with an unknown outcome when an answer may have been lost", async () => {
    const { store } = makeStore(() => {
      throw lost();
    });
    const queue = openQueue({ store, canRetry: () => true, deadline: "2s" });
    const appended = queue.append([entry("1")]);
    const result = expect(appended).rejects.toMatchObject({ stored: "unknown", message: /connection was lost/ });
    await vi.advanceTimersByTimeAsync(2_000);
    await result;
  });

  test("an attempt of which nothing is known is not made up for by a later one that stored nothing", async () => {
    let attempts = 0;
    const { store } = makeStore(() => {
      throw attempts++ === 0 ? lost() : new LogError("Not now", false);
    });
    const queue = openQueue({ store, canRetry: (error) => (error as LogError).stored === "unknown" });
    const result = expect(queue.append([entry("1")])).rejects.toMatchObject({ stored: "unknown", message: /Not now/ });
    await vi.advanceTimersByTimeAsync(1_000);
    await result;
    expect(attempts).toBe(2);
  });

  test("ends at the deadline with the reason when nothing was ever stored", async () => {
    const locked = new LogError("Locked", false);
    const { store, batches } = makeStore(() => {
      throw locked;
    });
    const queue = openQueue({ store, canRetry: () => true, deadline: "2s" });
    const early = queue.append([entry("1")]);
    const result = expect(early).rejects.toBe(locked);
    await vi.advanceTimersByTimeAsync(2_000);
    await result;
    expect(batches.length).toBeGreaterThan(3);
  });

  test("a store that never answers: what it has is unknown, what it has not is not stored", async () => {
    const { store } = makeStore(() => new Promise(() => {}));
    const queue = openQueue({ store, deadline: "2s" });
    const first = expect(queue.append([entry("1")])).rejects.toMatchObject({ stored: "unknown" });
    await vi.advanceTimersByTimeAsync(1_000);
    const second = expect(queue.append([entry("2")])).rejects.toMatchObject({ stored: false });
    await vi.advanceTimersByTimeAsync(1_000);
    await first;
    const closed = queue.close();
    await vi.advanceTimersByTimeAsync(1_000);
    await second;
    await closed;
  });

  test("a store that answers late settles nothing twice, and the next batch continues", async () => {
    const late = Promise.withResolvers<void>();
    let begun = 0;
    const { store } = makeStore(() => (begun++ === 0 ? late.promise : undefined));
    const queue = openQueue({ store, deadline: "2s" });
    const first = expect(queue.append([entry("1")])).rejects.toMatchObject({ stored: "unknown" });
    await vi.advanceTimersByTimeAsync(2_000);
    await first;
    const second = queue.append([entry("2")]);
    late.resolve();
    await vi.advanceTimersByTimeAsync(10);
    expect(offsets(await second)).toEqual([2]);
  });
});

describe("close", () => {
  test("settles what was called before, and rejects what comes after", async () => {
    const { store } = makeStore(() => tick());
    const queue = openQueue({ store });
    const calls = [queue.append([entry("1")]), queue.append([entry("2")])];
    await queue.close();
    expect((await Promise.all(calls)).map(offsets)).toEqual([[1], [2]]);
    await expect(queue.append([entry("3")])).rejects.toMatchObject({ code: closedError().code });
    await queue.close();
  });

  test("does not wait for another attempt", async () => {
    const { store, batches } = makeStore(() => {
      throw lost(false);
    });
    const queue = openQueue({ store, canRetry: () => true, deadline: "1h" });
    const result = expect(queue.append([entry("1")])).rejects.toMatchObject({ stored: false });
    while (batches.length < 5) await new Promise((resolve) => setTimeout(resolve, 1));
    await queue.close();
    await result;
  });
});
