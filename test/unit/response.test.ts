import { describe, expect, test } from "vitest";
import { EventSource } from "../../src/index.ts";
import { StreamRecorder } from "../support/recorder.ts";
import { BodyReader, openSource, openWeb, request, tick } from "../support/web.ts";

describe("rule 15: the reconnection time differs from connection to connection", () => {
  const retryOf = async (retry?: ConstructorParameters<typeof EventSource>[1]) => {
    const { source, client } = openWeb(retry as never);
    void source.close();
    await client.rest();
    return client.parser.retry as number;
  };

  test("it is drawn for each from a range", async () => {
    const times = await Promise.all(Array.from({ length: 40 }, () => retryOf()));
    expect(new Set(times).size).toBeGreaterThan(20);
    for (const time of times) {
      expect(time).toBeGreaterThanOrEqual(2_000);
      expect(time).toBeLessThanOrEqual(6_000);
    }
  });

  test("a range of one's own is kept to, both ends included", async () => {
    const times = await Promise.all(Array.from({ length: 60 }, () => retryOf({ retry: [5, 7] })));
    expect([...new Set(times)].sort()).toEqual([5, 6, 7]);
  });

  test("a fixed one is possible", async () => {
    expect(await retryOf({ retry: "4s" })).toBe(4_000);
  });
});

describe("bufferedAmount", () => {
  test("counts what was dispatched until the reader of the body has taken it", async () => {
    const { source, client } = openWeb();
    const opening = source.bufferedAmount;
    source.dispatch("t", "é");
    const frame = Buffer.byteLength("event: t\ndata: é\n\n");
    expect(source.bufferedAmount).toBe(opening + frame);
    await tick();
    expect(source.bufferedAmount).toBe(opening + frame);
    await client.read();
    expect(client.text).toHaveLength(opening + frame - 1);
    expect(source.bufferedAmount).toBe(0);
    source.dispatch("t", "é");
    expect(source.bufferedAmount).toBe(frame);
    await client.read();
    expect(source.bufferedAmount).toBe(0);
  });

  test("is zero once nothing waits any more, however it ended", async () => {
    const { source, client } = openWeb();
    source.dispatch("t", "x".repeat(1_000));
    await client.leave();
    expect([source.readyState, source.bufferedAmount]).toEqual([EventSource.CLOSED, 0]);
  });
});

describe("ticks", () => {
  test("several events of one tick leave in one chunk, none is cut", async () => {
    const { source, client } = openWeb();
    await client.read();
    const reading = client.read();
    for (let n = 0; n < 50; n++) source.dispatch("t", n);
    await reading;
    expect(client.chunks).toHaveLength(2);
    expect(client.parser.events).toHaveLength(50);
    expect(client.parser.complete).toBe(true);
  });

  test("events of one turn of the event loop leave together, also from different callbacks", async () => {
    const { source, client } = openWeb();
    await client.read();
    const reading = client.read();
    queueMicrotask(() => source.dispatch("t", "microtask"));
    process.nextTick(() => source.dispatch("t", "next tick"));
    source.dispatch("t", "call");
    await reading;
    expect(client.parser.events).toHaveLength(3);
  });
});

describe("response()", () => {
  test("is a web Response whose body begins before anything is dispatched", async () => {
    const { response, client } = openWeb();
    expect(response).toBeInstanceOf(Response);
    expect(response.status).toBe(200);
    expect(await client.read()).toBe(true);
    expect(client.text).toMatch(/^: keep-alive \d+\nretry: \d+\n$/);
  });

  test("a second call is an error that says what to do", () => {
    const { source } = openWeb();
    expect(() => source.response()).toThrow(
      expect.objectContaining({ code: "ERR_SSE_RESPONSE_USED", message: expect.stringContaining("one EventSource") }),
    );
  });

  test("events dispatched before it are not lost", async () => {
    const source = new EventSource(request());
    source.dispatch("early", 1);
    await tick();
    source.dispatch("later", 2);
    void source.close();
    const events = await new BodyReader(source.response()).rest();
    expect(events.map((event) => event.type)).toEqual(["early", "later"]);
  });

  test("status and statusText are the caller's", () => {
    const source = openSource();
    expect(source.response({ status: 201, statusText: "Made" })).toMatchObject({ status: 201, statusText: "Made" });
  });
});

describe("rule 18: the headers of the response", () => {
  const headersOf = (headers?: object, init?: object) => {
    const source = openSource(headers === undefined ? {} : ({ headers } as never));
    return Object.fromEntries(source.response(init === undefined ? {} : ({ headers: init } as never)).headers);
  };
  const defaults = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
  };

  test("are the defaults and no others: none of the connection (rule 19), no length", () => {
    expect(headersOf()).toEqual(defaults);
  });

  test.each<[string, object | undefined, object | undefined]>([
    ["of the options", { "Cache-Control": "no-store", "X-A": 5 }, undefined],
    ["of response()", undefined, { "Cache-Control": "no-store", "X-A": 5 }],
    ["in a Headers", new Headers({ "cache-control": "no-store", "x-a": "5" }), undefined],
    ["in a Headers of response()", undefined, new Headers({ "cache-control": "no-store", "x-a": "5" })],
    [
      "in a list of pairs",
      [
        ["Cache-Control", "no-store"],
        ["X-A", "5"],
      ],
      undefined,
    ],
    [
      "in a Map",
      new Map([
        ["Cache-Control", "no-store"],
        ["X-A", "5"],
      ]),
      undefined,
    ],
    [
      "in both, where response() wins",
      { "cache-control": "private", "x-a": 4 },
      { "CACHE-CONTROL": "no-store", "x-a": 5 },
    ],
  ])("own ones win: %s", (_, options, init) => {
    expect(headersOf(options, init)).toEqual({ ...defaults, "cache-control": "no-store", "x-a": "5" });
  });

  test.each([null, undefined, false])("can be removed with %s, in the options or in response()", (nothing) => {
    const { "x-accel-buffering": _, ...rest } = defaults;
    expect(headersOf({ "X-Accel-Buffering": nothing })).toEqual(rest);
    expect(headersOf(undefined, { "x-accel-buffering": nothing })).toEqual(rest);
    expect(headersOf({ "x-a": "1" }, { "X-A": nothing, "X-Accel-Buffering": nothing })).toEqual(rest);
  });

  test("cookies and vary add up over all who set them", () => {
    const request = new Request("http://localhost/", { headers: { origin: "https://app.example" } });
    const source = new EventSource(request, {
      cors: ["https://app.example"],
      headers: { "set-cookie": ["a=1", "b=2"], vary: "Accept-Encoding, origin" },
    });
    const { headers } = source.response({ headers: new Headers([["set-cookie", "c=3"]]) });
    expect(headers.getSetCookie()).toEqual(["a=1", "b=2", "c=3"]);
    expect(headers.get("vary")).toBe("Origin, Accept-Encoding");
    void source.close();
  });

  test("content-length is never among them", () => {
    expect(headersOf({ "content-length": "5" }, { "Content-Length": 5 })).toEqual(defaults);
  });

  test("the caller's objects are not changed", () => {
    const record = { "X-A": "1" };
    const headers = new Headers({ "x-b": "2" });
    headersOf(record, headers);
    expect(record).toEqual({ "X-A": "1" });
    expect([...headers]).toEqual([["x-b", "2"]]);
  });
});

test("a body that is passed on through other streams stays whole", async () => {
  const source = openSource();
  const response = source.response();
  const through = response.body?.pipeThrough(new TransformStream()) as ReadableStream<Uint8Array>;
  const parser = new StreamRecorder();
  const reader = through.getReader();
  for (let n = 0; n < 20; n++) source.dispatch("t", n);
  void source.close();
  for (let part = await reader.read(); !part.done; part = await reader.read()) parser.push(part.value);
  expect(parser.events.map((event) => event.data)).toEqual(Array.from({ length: 20 }, (_, n) => String(n)));
});
