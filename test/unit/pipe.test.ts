import { getEventListeners } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { ReadableStream as NodeReadableStream } from "node:stream/web";
import { describe, expect, test, vi } from "vitest";
import type { Pipeable } from "../../src/index.ts";
import { openHub } from "../support/hub.ts";
import { openSource, openWeb, tick } from "../support/web.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

async function* generate<T>(...pieces: T[]): AsyncGenerator<T> {
  for (const piece of pieces) yield piece;
}

/** A web stream; the types of browsers do not have `from` yet. */
function streamOf<T>(pieces: Iterable<T> | AsyncIterable<T>): ReadableStream<T> {
  return NodeReadableStream.from(pieces) as unknown as ReadableStream<T>;
}

/** A producer that blocks at its second piece, and counts. */
function hanging() {
  return {
    asked: 0,
    returned: 0,
    [Symbol.asyncIterator]() {
      return this;
    },
    next(): Promise<IteratorResult<string>> {
      this.asked++;
      return this.asked === 1 ? Promise.resolve({ done: false, value: "first" }) : new Promise(() => {});
    },
    async return() {
      this.returned++;
      return { done: true as const, value: undefined };
    },
  };
}

/** More than any reader here takes, one piece of 1 kB after the other. */
function endless() {
  const state = { produced: 0, stopped: false };
  const pieces = (async function* () {
    try {
      for (;;) {
        state.produced++;
        yield "x".repeat(1_024);
      }
    } finally {
      state.stopped = true;
    }
  })();
  return { state, pieces };
}

describe("pipe takes", () => {
  const kinds: [string, () => Pipeable<string>][] = [
    ["an async generator", () => generate("a", "b", "c")],
    ["an async iterable", () => ({ [Symbol.asyncIterator]: () => generate("a", "b", "c") })],
    ["a web ReadableStream", () => streamOf(["a", "b", "c"])],
    ["a Node Readable", () => Readable.from(["a", "b", "c"])],
    ["an array", () => ["a", "b", "c"]],
    ["a Set", () => new Set(["a", "b", "c"])],
  ];

  test.each(kinds)("%s", async (_, make) => {
    const { source, client } = openWeb();
    expect(await source.pipe(make(), { type: "token" })).toEqual({ ended: "done", events: 3 });
    expect(source.readyState).toBe(1);
    void source.close();
    expect(await client.rest()).toEqual(["a", "b", "c"].map((data) => ({ type: "token", data, lastEventId: "" })));
  });

  test("pieces of any kind, as JSON, or what map makes of them", async () => {
    const { source, client } = openWeb();
    await source.pipe([{ n: 1 }, "text", undefined]);
    await source.pipe([1, 2], { map: (n) => ({ double: n * 2 }) });
    void source.close();
    expect((await client.rest()).map((event) => event.data)).toEqual([
      '{"n":1}',
      "text",
      "",
      '{"double":2}',
      '{"double":4}',
    ]);
  });

  test.each(["text", 5, null, undefined, {}, { getReader: 5 }])("nothing else: %j", async (pieces) => {
    await expect(openSource().pipe(pieces as never)).rejects.toMatchObject({ code: "ERR_SSE_PIPE" });
  });

  test("nothing: the result says so", async () => {
    expect(await openSource().pipe([])).toEqual({ ended: "done", events: 0 });
  });
});

describe("text across the borders of pieces", () => {
  const text = "aé日\u{1F600}z";

  test.each([1, 2, 3, 4, 7])(
    "a byte order mark is dropped at the beginning alone, pieces of %i bytes",
    async (length) => {
      const bytes = utf8("\uFEFFa\uFEFFb\uFEFF");
      const pieces = Array.from({ length: Math.ceil(bytes.length / length) }, (_, n) =>
        bytes.subarray(n * length, (n + 1) * length),
      );
      const { source, client } = openWeb();
      await source.pipe(pieces);
      void source.close();
      expect((await client.rest()).map((event) => event.data).join("")).toBe("a\uFEFFb\uFEFF");
    },
  );

  test.each([1, 2, 3, 5, 100])("bytes in pieces of %i are decoded as UTF-8", async (length) => {
    const bytes = utf8(text);
    const pieces = Array.from({ length: Math.ceil(bytes.length / length) }, (_, n) =>
      bytes.subarray(n * length, (n + 1) * length),
    );
    for (const kind of [generate(...pieces), streamOf(pieces), Readable.from(pieces), pieces]) {
      const { source, client } = openWeb();
      expect(await source.pipe(kind as Pipeable<Uint8Array>)).toMatchObject({ ended: "done" });
      void source.close();
      const events = await client.rest();
      expect(events.map((event) => event.data).join("")).toBe(text);
      expect(events.filter((event) => event.data === "")).toEqual([]);
    }
  });

  test("a surrogate pair that is split between pieces is put together", async () => {
    const { source, client } = openWeb();
    expect(await source.pipe(["a\uD83D", "\uDE00b", "\uD83D", "\uDE00"])).toEqual({ ended: "done", events: 3 });
    void source.close();
    expect((await client.rest()).map((event) => event.data)).toEqual(["a", "\u{1F600}b", "\u{1F600}"]);
  });

  test("half a character at the end is not lost without a trace", async () => {
    const { source, client } = openWeb();
    await source.pipe(["a\uD83D"]);
    await source.pipe([utf8("é").subarray(0, 1)]);
    void source.close();
    expect((await client.rest()).map((event) => event.data)).toEqual(["a", "\uFFFD", "\uFFFD"]);
  });

  test("line breaks in a piece stay in its data", async () => {
    const { source, client } = openWeb();
    await source.pipe(["a\r\n", "\nb"]);
    void source.close();
    expect((await client.rest()).map((event) => event.data)).toEqual(["a\n", "\nb"]);
  });
});

describe("back-pressure", () => {
  test("a producer is not asked while the reader is stalled, and continues when it reads", async () => {
    const { source, client } = openWeb();
    const { state, pieces } = endless();
    const piping = source.pipe(pieces);
    await vi.waitUntil(() => source.bufferedAmount >= 64 * 1_024);
    const produced = state.produced;
    for (let turn = 0; turn < 20; turn++) await tick();
    expect(state.produced).toBe(produced);
    expect(source.bufferedAmount).toBeLessThan(80 * 1_024);
    await client.read();
    await vi.waitUntil(() => state.produced > produced);
    await client.leave();
    expect(await piping).toMatchObject({ ended: "closed", reason: "disconnected" });
    expect(state.stopped).toBe(true);
  });

  test("reaches a Node Readable and a web stream, which are not drained into memory", async () => {
    for (const wrap of [Readable.from, streamOf] as ((pieces: AsyncIterable<string>) => Pipeable<string>)[]) {
      const { source, client } = openWeb();
      const { state, pieces } = endless();
      const piping = source.pipe(wrap(pieces));
      await vi.waitUntil(() => source.bufferedAmount >= 64 * 1_024);
      for (let turn = 0; turn < 20; turn++) await tick();
      expect(state.produced).toBeLessThan(200);
      await client.leave();
      expect(await piping).toMatchObject({ ended: "closed" });
      await vi.waitUntil(() => state.stopped);
    }
  });

  test.each([0, 1_000, 16_384, "100kb"] as const)(
    "waits for the reader and does not overflow, whatever the sizes of pieces, with maxBufferedBytes %s",
    async (maxBufferedBytes) => {
      const { source, client } = openWeb({ maxBufferedBytes });
      const sizes = [500, 900, 50_000, 200_000, 10, 99_000, 3_000];
      const piping = source.pipe(sizes.map((size) => "x".repeat(size)));
      for (let turn = 0; turn < 10; turn++) await tick();
      const reading = client.rest();
      expect(await piping).toEqual({ ended: "done", events: sizes.length });
      expect(source.readyState).toBe(1);
      void source.close();
      expect((await reading).map((event) => event.data.length)).toEqual(sizes);
    },
  );

  test("memory does not grow with the number of pieces", async () => {
    const { source, client } = openWeb();
    let most = 0;
    const pieces = (function* () {
      for (let n = 0; n < 20_000; n++) {
        most = Math.max(most, source.bufferedAmount);
        yield n;
      }
    })();
    const listeners = () => getEventListeners(source.signal, "abort").length;
    const reading = client.rest();
    const piping = source.pipe(pieces);
    expect(listeners()).toBe(1);
    expect(await piping).toEqual({ ended: "done", events: 20_000 });
    expect(listeners()).toBe(0);
    void source.close();
    expect(await reading).toHaveLength(20_000);
    expect(most).toBeLessThan(80 * 1_024);
  });
});

describe("the producer is stopped", () => {
  test("by iterator.return() when the client leaves, even while next() is pending", async () => {
    const { source, client } = openWeb();
    const producer = hanging();
    const piping = source.pipe(producer);
    expect((await client.next()).data).toBe("first");
    await vi.waitUntil(() => producer.asked === 2);
    await client.leave();
    expect(await piping).toEqual({ ended: "closed", events: 1, reason: "disconnected" });
    expect(producer.returned).toBe(1);
  });

  test("when the source is closed here", async () => {
    const source = openSource();
    const producer = hanging();
    const piping = source.pipe(producer);
    await vi.waitUntil(() => producer.asked === 2);
    await source.close("enough");
    expect(await piping).toEqual({ ended: "closed", events: 1, reason: "enough" });
    expect(producer.returned).toBe(1);
  });

  test("by its signal, and the source stays open", async () => {
    const source = openSource();
    const producer = hanging();
    const controller = new AbortController();
    const piping = source.pipe(producer, { signal: controller.signal });
    await vi.waitUntil(() => producer.asked === 2);
    controller.abort("changed my mind");
    expect(await piping).toEqual({ ended: "aborted", events: 1, reason: "changed my mind" });
    expect([producer.returned, source.readyState]).toEqual([1, 1]);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  test("before it was asked, by a signal that is aborted already", async () => {
    const producer = hanging();
    const result = await openSource().pipe(producer, { signal: AbortSignal.abort("no") });
    expect(result).toEqual({ ended: "aborted", events: 0, reason: "no" });
    expect([producer.asked, producer.returned]).toEqual([0, 1]);
  });

  test("by its signal also while the reader is stalled", async () => {
    const source = openSource();
    const { state, pieces } = endless();
    const controller = new AbortController();
    const piping = source.pipe(pieces, { signal: controller.signal });
    await vi.waitUntil(() => source.bufferedAmount >= 64 * 1_024);
    controller.abort();
    expect(await piping).toMatchObject({ ended: "aborted" });
    expect(state.stopped).toBe(true);
  });

  test("by a signal that was aborted before, also where the reader is stalled already", async () => {
    const source = openSource();
    source.dispatch("t", "x".repeat(100_000));
    expect(await source.pipe(["a"], { signal: AbortSignal.abort() })).toMatchObject({ ended: "aborted", events: 0 });
  });

  test("a web stream by cancel(), a Node Readable by destroy(), while they are being waited for", async () => {
    const cancelled = vi.fn();
    const stream = new ReadableStream<string>({ cancel: cancelled });
    const readable = new PassThrough();
    const source = openSource();
    const piping = [source.pipe(stream), source.pipe(readable)];
    await tick();
    await source.close();
    expect(await Promise.all(piping)).toEqual(Array(2).fill({ ended: "closed", events: 0, reason: "closed" }));
    expect(cancelled).toHaveBeenCalledOnce();
    expect(readable.destroyed).toBe(true);
  });

  test("not when it ended on its own", async () => {
    const producer = hanging();
    producer.next = async () => ({ done: true, value: undefined });
    await openSource().pipe(producer);
    expect(producer.returned).toBe(0);
  });

  test("a return() that fails is ignored", async () => {
    const producer = hanging();
    producer.return = () => Promise.reject(new Error("too late"));
    expect(await openSource().pipe(producer, { signal: AbortSignal.abort() })).toMatchObject({ ended: "aborted" });
    producer.return = () => {
      throw new Error("too late, at once");
    };
    expect(await openSource().pipe(producer, { signal: AbortSignal.abort() })).toMatchObject({ ended: "aborted" });
  });
});

describe("the end of a pipe", () => {
  test.each([
    ["done", { type: "done", data: "" }],
    [
      { type: "done", data: { ok: true } },
      { type: "done", data: '{"ok":true}' },
    ],
  ])("may be an event: %j", async (end, event) => {
    const { source, client } = openWeb();
    await source.pipe(["a"], { type: "token", end });
    void source.close();
    expect((await client.rest()).at(-1)).toMatchObject(event);
  });

  test("is not announced where the pipe did not get there", async () => {
    const { source, client } = openWeb();
    await source.pipe(["a"], { end: "done", signal: AbortSignal.abort() });
    await source.pipe(generate("a", 1n as never), { end: "done" });
    void source.close();
    expect((await client.rest()).map((event) => event.type)).toEqual(["message"]);
  });

  test("a producer that fails: the result says so, the error event too, the source stays open", async () => {
    const { source, client } = openWeb();
    const heard = vi.fn();
    source.addEventListener("error", (event) => heard(event.error));
    const failure = new Error("producer");
    const failing: Pipeable<string>[] = [
      (async function* () {
        yield "a";
        throw failure;
      })(),
      new ReadableStream({
        start: (controller) => controller.enqueue("a"),
        pull: (controller) => controller.error(failure),
      }),
      Readable.from(
        (async function* () {
          yield "a";
          throw failure;
        })(),
      ),
    ];
    for (const pieces of failing) {
      expect(await source.pipe(pieces)).toMatchObject({ ended: "failed", error: failure });
    }
    expect(heard.mock.calls).toEqual([[failure], [failure], [failure]]);
    expect(source.dispatch("t", "still here")).toBe(true);
    void source.close();
    expect((await client.rest()).at(-1)?.data).toBe("still here");
  });

  test("a piece that cannot be sent, and a map that throws, end it as failed and stop the producer", async () => {
    const { state, pieces } = endless();
    const failure = new Error("map");
    const map = () => {
      throw failure;
    };
    expect(await openSource().pipe(pieces, { map })).toEqual({ ended: "failed", events: 0, error: failure });
    await vi.waitUntil(() => state.stopped);
    expect(await openSource().pipe([1n])).toMatchObject({ ended: "failed", error: { code: "ERR_SSE_DATA" } });
  });
});

test("several pipes may run into one source at once", async () => {
  const { source, client } = openWeb();
  const reading = client.rest();
  await Promise.all([source.pipe(generate(1, 2, 3), { type: "a" }), source.pipe(generate(4, 5, 6), { type: "b" })]);
  void source.close();
  const events = await reading;
  expect(events.filter((event) => event.type === "a").map((event) => event.data)).toEqual(["1", "2", "3"]);
  expect(events.filter((event) => event.type === "b").map((event) => event.data)).toEqual(["4", "5", "6"]);
});

describe("a producer that breaks the rules of iteration", () => {
  const iterable = (iterator: () => unknown) => ({ [Symbol.asyncIterator]: iterator }) as AsyncIterable<string>;
  const never = () => new Promise<never>(() => {});
  const fail = (): never => {
    throw new Error("No producer");
  };
  const locked = () => {
    const stream = new ReadableStream<string>();
    stream.getReader();
    return stream;
  };

  const failing: [string, () => AsyncIterable<string> | ReadableStream<string>][] = [
    ["cannot be opened", () => iterable(fail)],
    ["is locked by another reader", locked],
    ["throws in next()", () => iterable(() => ({ next: fail }))],
    ["gives a number for a result", () => iterable(() => ({ next: async () => 5 }))],
    ["gives no result", () => iterable(() => ({ next: async () => undefined }))],
    ["has no next()", () => iterable(() => ({}))],
  ];

  test.each(failing)("and %s ends the pipe as failed, on a source and on a channel", async (_, make) => {
    const { source } = openWeb();
    expect(await source.pipe(make())).toMatchObject({ ended: "failed", events: 0, error: expect.any(Error) });
    const { hub } = openHub();
    expect(await hub.channel("a").pipe(make())).toMatchObject({ ended: "failed", events: 0 });
  });

  const hanging: [string, () => AsyncIterable<string> | ReadableStream<string>][] = [
    ["next()", () => iterable(() => ({ next: never }))],
    ["next() and return()", () => iterable(() => ({ next: never, return: never }))],
    ["next(), and throws in return()", () => iterable(() => ({ next: never, return: fail }))],
    ["pull() and cancel()", () => new ReadableStream({ pull: never, cancel: never })],
  ];

  test.each(hanging)("and hangs in %s is left alone when the client leaves, or the hub is closed", async (_, make) => {
    const { source, client } = openWeb();
    const piping = source.pipe(make());
    await client.leave();
    expect(await piping).toEqual({ ended: "closed", events: 0, reason: "disconnected" });
    const { hub } = openHub();
    const publishing = hub.channel("a").pipe(make());
    await tick();
    await hub.close();
    expect(await publishing).toEqual({ ended: "closed", events: 0, reason: "closed" });
  });
});

test("a producer that always has a piece leaves the event loop its turns", async () => {
  function* endless(): Generator<string> {
    for (;;) yield "x";
  }
  const { hub } = openHub();
  const controller = new AbortController();
  const piping = hub.channel("a").pipe(endless(), { signal: controller.signal });
  for (let turn = 0; turn < 5; turn++) await tick();
  controller.abort("enough");
  expect(await piping).toMatchObject({ ended: "aborted", reason: "enough" });
});
