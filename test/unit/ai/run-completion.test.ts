/** `onFinish`: called once for a run, by one process at a time; again only after that process died, and then with the same. */
import { describe, expect, test } from "vitest";
import type { FinishedRun } from "../../../src/ai/index.ts";
import type { Log } from "../../../src/log/log.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { controlledProducer, eventsOf, freezable, lease, openProcess, storedOf } from "../../support/runs.ts";
import { request } from "../../support/web.ts";

const ended = expect.stringMatching(/^sse:end /);
const failed = expect.stringMatching(/^failed /);
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe("onFinish", () => {
  test("is called by one of several watchers, although it takes longer than a lease", async () => {
    const log = memoryLog();
    const frozen = freezable(log);
    const calls: FinishedRun[] = [];
    const onFinish = async (run: FinishedRun) => {
      calls.push(run);
      await pause(4 * lease);
    };
    const one = openProcess(frozen.log);
    const watchers = [1, 2, 3].map(() => openProcess(log, { onFinish }));
    const producer = controlledProducer();
    await one.runs.start("chat", producer.produce, { request: request() });
    producer.yield("a");
    await expect.poll(() => storedOf(log)).toContain("a");
    frozen.freeze();
    const readers = await Promise.all(watchers.map(({ runs }) => runs.resume("chat", request())));
    for (const reader of readers) expect(await eventsOf(reader)).toEqual(["message a", failed, ended]);
    expect(calls).toEqual([expect.objectContaining({ text: "a", outcome: "lost" })]);
    frozen.thaw();
    await one.runs.close();
    one.errors.splice(0);
  });

  test("is not called by a process that was paused after its last token, and has lost the run", async () => {
    const log = memoryLog();
    const frozen = freezable(log);
    const calls: string[] = [];
    const one = openProcess(frozen.log, { onFinish: ({ outcome }) => void calls.push(`one: ${outcome}`) });
    const two = openProcess(log, { onFinish: ({ outcome }) => void calls.push(`two: ${outcome}`) });
    const producer = controlledProducer();
    await one.runs.start("chat", producer.produce, { request: request() });
    producer.yield("a");
    await expect.poll(() => storedOf(log)).toContain("a");
    frozen.freeze();
    producer.end();
    expect(await eventsOf(await two.runs.resume("chat", request()))).toEqual(["message a", failed, ended]);
    frozen.thaw();
    await expect.poll(() => one.errors.length).toBe(1);
    expect(calls).toEqual(["two: lost"]);
  });

  test("is called again with the same text and outcome when its process died in the middle of it", async () => {
    const log = memoryLog();
    const frozen = freezable(log);
    const calls: FinishedRun[] = [];
    const { promise: dead, resolve: die } = Promise.withResolvers<void>();
    const one = openProcess(frozen.log, {
      onFinish(run) {
        calls.push(run);
        frozen.freeze();
        return dead;
      },
    });
    const two = openProcess(log, { onFinish: (run) => void calls.push(run) });
    await one.runs.start("chat", () => ["a", "b"], { request: request() });
    await expect.poll(() => calls.length).toBe(1);
    expect(await eventsOf(await two.runs.resume("chat", request()))).toEqual(["message a", "message b", ended]);
    expect(calls).toEqual([expect.objectContaining({ text: "ab", outcome: "done" }), calls[0]]);
    frozen.thaw();
    die();
    // It has called it before, so this is its own failure to publish the end.
    await expect.poll(() => one.errors.length).toBe(1);
  });

  test("is called by the next watcher when the first one dies, and the loss is declared once", async () => {
    const log = memoryLog();
    const frozen = [freezable(log), freezable(log)];
    const calls: FinishedRun[] = [];
    const { promise: dead, resolve: die } = Promise.withResolvers<void>();
    const one = openProcess(frozen[0]?.log as Log);
    const two = openProcess(frozen[1]?.log as Log, {
      onFinish() {
        frozen[1]?.freeze();
        return dead;
      },
    });
    const three = openProcess(log, { onFinish: (run) => void calls.push(run) });
    const producer = controlledProducer();
    await one.runs.start("chat", producer.produce, { request: request() });
    producer.yield("a");
    await expect.poll(() => storedOf(log)).toContain("a");
    frozen[0]?.freeze();
    expect(await two.runs.state("chat")).toBe("open");
    await expect.poll(() => storedOf(log)).toContainEqual(expect.stringContaining("completed"));
    expect(await eventsOf(await three.runs.resume("chat", request()))).toEqual(["message a", failed, ended]);
    expect(calls).toEqual([expect.objectContaining({ text: "a", outcome: "lost" })]);
    for (const { thaw } of frozen) thaw();
    die();
    await one.runs.close();
    one.errors.splice(0);
  });
});

describe("a run whose onFinish fails", () => {
  const fails = () => Promise.reject(new Error("no database"));
  const text = (name: string) => (name === "text" ? "a" : { type: "text-delta", id: "1", delta: "a" });

  test.each(["text", "ai-sdk"] as const)(
    "is answered with its text and the failure after it, in %s",
    async (protocol) => {
      const log = memoryLog();
      const one = openProcess(log, { onFinish: fails, protocol });
      const two = openProcess(log, { onFinish: fails, protocol });
      const first = await eventsOf(await one.runs.start("chat", () => [text(protocol)], { request: request() }));
      expect(first.join()).toMatch(/could not be completed/);
      for (const { runs } of [one, two]) {
        expect(await runs.state("chat")).toBe("ended");
        expect(await eventsOf(await runs.resume("chat", request()))).toEqual(first);
        expect(await runs.find("chat")).not.toBeNull();
      }
      expect(one.errors).toEqual([expect.objectContaining({ message: "no database" })]);
      expect(two.errors).toEqual([]);
    },
  );

  test("is not repeated to a client that has received it", async () => {
    const { runs } = openProcess(memoryLog(), { onFinish: fails });
    const stream = await (await runs.start("chat", () => ["a"], { request: request() })).text();
    const ids = Array.from(stream.matchAll(/^id: (.+)$/gm), ([, id]) => id as string);
    expect((await runs.resume("chat", request({ headers: { "last-event-id": ids.at(-1) as string } }))).status).toBe(
      204,
    );
  });

  test("fails for its readers although it was stopped, so that the loss is declared", async () => {
    const { runs } = openProcess(memoryLog(), { onFinish: fails });
    const producer = controlledProducer();
    const response = await runs.start("chat", producer.produce, { request: request() });
    producer.yield("a");
    await expect.poll(() => producer.calls).toBe(1);
    await runs.stop("chat");
    expect((await eventsOf(response)).slice(-2)).toEqual([failed, ended]);
    expect((await eventsOf(await runs.resume("chat", request()))).slice(-2)).toEqual([failed, ended]);
  });

  test.each([
    ["died before it", false, ["message a", failed, ended]],
    ["died in the middle of it", true, ["message a", failed, ended]],
  ])(
    "is answered with its text and the failure by the process that finds it, when its own %s",
    async (_, ends, events) => {
      const log = memoryLog();
      const frozen = freezable(log);
      const { promise: dead, resolve: die } = Promise.withResolvers<void>();
      let calls = 0;
      const one = openProcess(frozen.log, {
        onFinish() {
          calls++;
          frozen.freeze();
          return dead;
        },
      });
      const two = openProcess(log, { onFinish: fails });
      const producer = controlledProducer();
      await one.runs.start("chat", producer.produce, { request: request() });
      producer.yield("a");
      await expect.poll(() => storedOf(log)).toContain("a");
      if (ends) producer.end();
      else frozen.freeze();
      await expect.poll(() => calls).toBe(ends ? 1 : 0);
      expect(await eventsOf(await two.runs.resume("chat", request()))).toEqual(events);
      expect(await eventsOf(await two.runs.resume("chat", request()))).toEqual(events);
      expect(two.errors).toEqual([expect.objectContaining({ message: "no database" })]);
      frozen.thaw();
      die();
      await one.runs.close();
      one.errors.splice(0);
    },
  );

  test("gives way to the next run, and to a deletion", async () => {
    const onFinish = ({ text }: FinishedRun) => (text === "a" ? fails() : undefined);
    const { runs } = openProcess(memoryLog(), { onFinish });
    await eventsOf(await runs.start("chat", () => ["a"], { request: request() }));
    await eventsOf(await runs.start("chat", () => ["b"], { request: request() }));
    expect((await runs.resume("chat", request())).status).toBe(204);
    await eventsOf(await runs.start("chat", () => ["a"], { request: request() }));
    await runs.delete("chat");
    expect((await runs.resume("chat", request())).status).toBe(204);
  });
});

test("a process that was paused while its producer was idle finds the run lost, and aborts its producer", async () => {
  const log = memoryLog();
  const frozen = freezable(log);
  const [one, two] = [openProcess(frozen.log), openProcess(log)];
  const producer = controlledProducer();
  await one.runs.start("chat", producer.produce, { request: request() });
  producer.yield("a");
  await expect.poll(() => storedOf(log)).toContain("a");
  frozen.freeze();
  await eventsOf(await two.runs.resume("chat", request()));
  frozen.thaw();
  await expect.poll(() => producer.signal?.aborted).toBe(true);
  await expect.poll(() => one.errors).toEqual([expect.objectContaining({ message: expect.stringMatching("taken") })]);
});

describe("a request that is repeated", () => {
  const repeat = { request: request(), requestId: "1" };

  test("gets the run that it has started, if that has its whole text", async () => {
    const { runs } = openProcess(memoryLog());
    await eventsOf(await runs.start("chat", () => ["a"], repeat));
    expect(await eventsOf(await runs.start("chat", () => ["b"], repeat))).toEqual(["message a", ended]);
  });

  test("gets the run that it has started, if that was stopped", async () => {
    const { runs } = openProcess(memoryLog());
    await runs.stop("chat", { requestId: "1" });
    for (let time = 0; time < 2; time++) {
      expect(await eventsOf(await runs.start("chat", () => ["a"], repeat))).toEqual(["stopped {}", ended]);
    }
  });

  const throws = () => {
    throw new Error("no model");
  };
  test("starts another run after a failure", async () => {
    const { runs, errors } = openProcess(memoryLog());
    expect(await eventsOf(await runs.start("chat", throws, repeat))).toEqual([failed, ended]);
    expect(await eventsOf(await runs.start("chat", () => ["a"], repeat))).toEqual(["message a", ended]);
    expect(errors).toHaveLength(1);
  });

  test("starts another run if the text could not be stored", async () => {
    let isDown = true;
    const onFinish = () => (isDown ? Promise.reject(new Error("no database")) : undefined);
    const { runs } = openProcess(memoryLog(), { onFinish });
    await eventsOf(await runs.start("chat", () => ["a"], repeat));
    isDown = false;
    expect(await eventsOf(await runs.start("chat", () => ["b"], repeat))).toEqual(["message b", ended]);
  });

  test("starts another run after its process was closed, or has died", async () => {
    const log = memoryLog();
    const frozen = freezable(log);
    const [one, two, three] = [openProcess(log), openProcess(frozen.log), openProcess(log)];
    const producer = controlledProducer();
    await one.runs.start("chat", producer.produce, repeat);
    await one.runs.close();
    await two.runs.start("chat", producer.produce, repeat);
    await expect.poll(() => producer.calls).toBe(2);
    frozen.freeze();
    expect(await eventsOf(await three.runs.start("chat", () => ["a"], repeat))).toEqual([failed, ended]);
    expect(await eventsOf(await three.runs.start("chat", () => ["a"], repeat))).toEqual(["message a", ended]);
  });

  test("is not stopped by a click that came late for the run that failed", async () => {
    const { runs } = openProcess(memoryLog());
    await eventsOf(await runs.start("chat", throws, repeat));
    expect(await runs.stop("chat", { requestId: "1" })).toBe(false);
    expect(await eventsOf(await runs.start("chat", () => ["a"], repeat))).toEqual(["message a", ended]);
  });
});

test("delete() at the time of a start leaves the whole run, or nothing of it", async () => {
  for (let turns = 0; turns < 60; turns += 2) {
    const log = memoryLog();
    const finished: string[] = [];
    const one = openProcess(log, { onFinish: ({ text }) => void finished.push(text) });
    const two = openProcess(log);
    await eventsOf(await one.runs.start("chat", () => ["old secret"], { request: request() }));
    const starting = one.runs.start("chat", () => ["new ", "secret"], { request: request() });
    for (let turn = 0; turn < turns; turn++) await null;
    await two.runs.delete("chat");
    const events = await eventsOf(await starting);
    await one.runs.close();
    const { entries } = await log.read(0, { limit: 1_000, maxBytes: 1e6, conflate: false });
    const stored = entries.map(({ data }) => data).filter((data) => data.includes("secret") || data === "new ");
    if ((await two.runs.state("chat")) === "empty") expect(stored).toEqual([]);
    else
      expect([events, stored]).toEqual([
        ["message new ", "message secret", ended],
        ["new ", "secret"],
      ]);
  }
});
