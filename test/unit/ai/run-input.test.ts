/** Bad input of runs: chat ids of any text, and producers and callbacks that do the wrong thing at any moment. */
import { describe, expect, test } from "vitest";
import { type RunProducer, resumableStreams } from "../../../src/ai/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { openHub } from "../../support/hub.ts";
import { eventsOf, openProcess } from "../../support/runs.ts";
import { request } from "../../support/web.ts";

const ended = expect.stringMatching(/^sse:end /);
const failed = 'failed {"message":"The answer could not be completed"}';
const never = () => new Promise<never>(() => {});

const ids = {
  "a name of all objects": "__proto__",
  "a method of all objects": "toString",
  spaces: " ",
  "a null character": "\0",
  "line ends": "a\r\nb",
  "a path": "../../x/run/1",
  "an encoded path": "%2e%2e%2f",
  "half a character": "\ud83d",
  "the other half": "\ude00",
  "both halves, apart": "\ud83d \ude00",
  "a star": "*",
  "10 kB": "k".repeat(10_240),
  "10 kB, and another end": `${"k".repeat(10_239)}l`,
  "10 kB, and one more": "k".repeat(10_241),
  "100,000 characters of several bytes": "ü".repeat(100_000),
};

test("chats of any ids are apart, in their runs, their states and their deletion", async () => {
  const log = memoryLog();
  const [one, two] = [openProcess(log), openProcess(log)];
  const all = Object.values(ids);
  for (const [index, id] of all.entries()) {
    expect(await two.runs.state(id)).toBe("empty");
    const response = await one.runs.start(id, () => [`text ${index}`], { request: request() });
    expect(await eventsOf(response)).toEqual([`message text ${index}`, ended]);
  }
  for (const [index, id] of all.entries()) {
    expect(await two.runs.state(id)).toBe("ended");
    await two.runs.delete(id);
    const states = await Promise.all(all.map((other) => one.runs.state(other)));
    expect(states).toEqual(all.map((_, other) => (other > index ? "ended" : "empty")));
  }
  expect(({} as { text?: string }).text).toBe(undefined);
});

test.each(["", undefined, null, 7, {}, ["a"]])("the chat id %j is rejected by every method", async (id) => {
  const { runs } = openProcess(memoryLog());
  const chatId = id as string;
  for (const call of [
    () => runs.start(chatId, () => [], { request: request() }),
    () => runs.begin(chatId, () => []),
    () => runs.resume(chatId, request()),
    () => runs.find(chatId),
    () => runs.stop(chatId),
    () => runs.state(chatId),
    () => runs.delete(chatId),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: "ERR_SSE_ARGUMENT" });
  }
});

async function* failingAfter(...pieces: string[]) {
  yield* pieces;
  throw new Error("no model");
}

/** An iterator that is asked for its end, and answers it in its own way. */
function withReturn(atReturn: () => unknown): AsyncIterable<string> {
  let count = 0;
  const iterator = { next: async () => ({ done: false, value: `${count++} ` }), return: atReturn };
  return { [Symbol.asyncIterator]: () => iterator as AsyncIterator<string> };
}

const cyclic: { self?: unknown } = {};
cyclic.self = cyclic;

describe("a producer that", () => {
  const bad: [name: string, produce: RunProducer, before: string[]][] = [
    ["throws after some pieces", () => failingAfter("a", "b"), ["a", "b"]],
    ["throws in its last step", () => failingAfter(), []],
    ["returns nothing", (() => undefined) as never, []],
    ["returns null", (() => null) as never, []],
    ["returns an object without a stream", (() => ({ pipe() {} })) as never, []],
    ["returns a stream that others read", lockedStream, []],
    ["yields null", (() => [null]) as never, []],
    ["yields a symbol", (() => [Symbol("x")]) as never, []],
    ["yields a cycle", (() => [cyclic]) as never, []],
    ["yields garbage after text", (() => ["a", { b: 1 }]) as never, ["a"]],
  ];
  test.each(bad)("%s ends its run with an error, and leaves the chat free", async (_, produce, before) => {
    const { runs, errors } = openProcess(memoryLog());
    const response = await runs.start("chat", produce, { request: request() });
    expect(await eventsOf(response)).toEqual([...before.map((text) => `message ${text}`), failed, ended]);
    expect(errors).toHaveLength(1);
    expect(await eventsOf(await runs.start("chat", () => ["next"], { request: request() }))).toEqual([
      "message next",
      ended,
    ]);
  });

  test("yields more than an event may have ends its run with an error", async () => {
    const { runs, errors } = openProcess(memoryLog());
    const response = await runs.start("chat", () => ["x".repeat(30_000_000)], { request: request() });
    expect(await eventsOf(response)).toEqual([failed, ended]);
    expect(errors).toEqual([expect.objectContaining({ code: "ERR_SSE_LIMIT" })]);
  });

  test.each([
    ["throws", () => Promise.reject(new Error("at return"))],
    ["throws at once", () => expect.fail("at return")],
    ["hangs", never],
  ])(
    "ignores its signal and %s when it is told to end: the run is stopped, and nothing comes after that",
    async (_, atReturn) => {
      const { runs } = openProcess(memoryLog());
      const response = await runs.start("chat", () => withReturn(atReturn), { request: request() });
      const events = eventsOf(response);
      await expect.poll(() => runs.state("chat")).toBe("open");
      expect(await runs.stop("chat")).toBe(true);
      expect((await events).slice(-2)).toEqual([expect.stringMatching(/^stopped/), ended]);
      expect(await runs.state("chat")).toBe("ended");
    },
  );

  test("throws at its end, after the run is over, is ignored", async () => {
    const { runs } = openProcess(memoryLog());
    async function* produce() {
      try {
        yield "a";
        yield await never();
      } finally {
        failLate();
      }
    }
    const response = await runs.start("chat", produce, { request: request() });
    await expect.poll(() => runs.stop("chat")).toBe(true);
    expect((await eventsOf(response)).at(-1)).toEqual(ended);
  });
});

function failLate(): never {
  throw new Error("too late");
}

function lockedStream(): ReadableStream<string> {
  const stream = new ReadableStream<string>();
  stream.getReader();
  return stream;
}

describe("onFinish that", () => {
  test.each([
    ["throws", () => failLate(), {}],
    ["rejects", () => Promise.reject(new Error("too late")), {}],
    ["hangs", never, { code: "ERR_SSE_TIMEOUT" }],
  ])("%s ends the run with an error, and leaves the chat free", async (_, onFinish, error) => {
    const { runs, errors } = openProcess(memoryLog(), { onFinish, finishTimeout: 50 });
    const response = await runs.start("chat", () => ["a"], { request: request() });
    expect(await eventsOf(response)).toEqual(["message a", failed, ended]);
    expect(errors).toEqual([expect.objectContaining(error)]);
    expect(await runs.state("chat")).toBe("ended");
  });
});

test.each([undefined, null, 7, "text"])("makeStream %j of resumableStreams() is rejected", async (makeStream) => {
  const streams = resumableStreams(openHub().hub);
  await expect(streams.resumableStream("1", makeStream as never)).rejects.toThrow("makeStream");
  expect(await streams.hasExistingStream("1")).toBe(null);
});
