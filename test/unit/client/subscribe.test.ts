// The view of a consumer of subscribe(): listeners, loops, losses, status, ends.
import { afterEach, describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { StreamError } from "../../../src/client/errors.ts";
import { resolveSubscribeOptions, type SubscribeOptions } from "../../../src/client/options.ts";
import { Subscription, subscribe } from "../../../src/client/subscribe.ts";
import { type AnyContract, defineEvents, text } from "../../../src/wire/contract.ts";
import { expectConsole } from "../../support/console.ts";
import { VirtualEnvironment } from "../../support/virtual-environment.ts";
import { tick } from "../../support/web.ts";

const encoder = new TextEncoder();

/** A server of one stream, which the test writes. */
class Line {
  readonly requests: { url: string; headers: Headers; init: RequestInit }[] = [];
  /** The responses of the next requests, in place of a stream. */
  readonly responses: (Response | Error)[] = [];
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  pulled = 0;

  readonly fetch = (async (url: string, init: RequestInit) => {
    this.requests.push({ url, headers: new Headers(init.headers), init });
    const response = this.responses.shift();
    if (response instanceof Error) throw response;
    return response ?? this.#stream();
  }) as unknown as typeof fetch;

  async send(...blocks: string[]): Promise<void> {
    for (const block of blocks) this.#controller?.enqueue(encoder.encode(`${block}\n\n`));
    await settle();
  }

  async end(): Promise<void> {
    this.#controller?.close();
    await settle();
  }

  #stream(): Response {
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.pulled++;
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }
}

const streams: { close(): void }[] = [];
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});

function open<C extends AnyContract | undefined = undefined>(options: SubscribeOptions<C> = {}) {
  const line = new Line();
  const environment = new VirtualEnvironment();
  const resolved = resolveSubscribeOptions("http://localhost/events", { fetch: line.fetch, ...options } as never);
  const stream = new Subscription<C>(resolved, environment);
  streams.push(stream);
  return { stream, line, environment };
}

/** Moves the clock to the next attempt, and lets it happen. */
async function retry(
  stream: { status: { retryAt: number | undefined } },
  environment: VirtualEnvironment,
): Promise<void> {
  environment.advance((stream.status.retryAt ?? environment.time) - environment.time);
  await settle();
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await tick();
}

describe("connecting", () => {
  test("begins in the microtask after the first consumer, and once", async () => {
    const { stream, line } = open();
    await settle();
    expect(line.requests).toEqual([]);
    stream.on("a", () => {});
    stream.on("b", () => {});
    expect(line.requests).toEqual([]);
    await stream.opened;
    expect(line.requests).toHaveLength(1);
  });

  test("asks for an event stream, with position, channels, headers and body of this attempt", async () => {
    let n = 0;
    const { stream, line, environment } = open({
      channels: ["a", "b c"],
      after: "grüße",
      headers: async () => ({ authorization: `Bearer ${++n}` }),
      body: () => ({ attempt: n }),
      credentials: "include",
    });
    stream.on("*", () => {});
    await settle();
    await line.end();
    await retry(stream, environment);
    expect(line.requests.map(({ url }) => url)).toEqual(Array(2).fill("http://localhost/events?channel=a&channel=b+c"));
    const [first, second] = line.requests;
    expect([first?.headers.get("authorization"), second?.headers.get("authorization")]).toEqual([
      "Bearer 1",
      "Bearer 2",
    ]);
    expect(first?.headers.get("accept")).toBe("text/event-stream");
    expect(Buffer.from(first?.headers.get("last-event-id") ?? "", "latin1").toString("utf8")).toBe("grüße");
    expect([first?.init.method, first?.init.credentials, first?.headers.get("content-type")]).toEqual([
      "POST",
      "include",
      "application/json",
    ]);
  });

  test("puts the position in the query where it is told to", async () => {
    const { stream, line } = open({ after: "e.1.a", lastEventIdIn: "query" });
    stream.on("*", () => {});
    await settle();
    expect(line.requests[0]?.url).toBe("http://localhost/events?lastEventId=e.1.a");
    expect(line.requests[0]?.headers.has("last-event-id")).toBe(false);
  });
});

describe("listeners", () => {
  test("get the data and the event, by type and for all, until they are removed", async () => {
    const { stream, line } = open();
    const heard: unknown[] = [];
    const remove = stream.on("a", (data, event) => heard.push(["a", data, event.lastEventId]));
    stream.on("*", (event) => heard.push(["*", event.type, event.data]));
    stream.once("b", (data) => heard.push(["once", data]));
    await settle();
    await line.send("id: 1\nevent: a\ndata: x", "event: b\ndata: y", "event: b\ndata: z");
    remove();
    await line.send("event: a\ndata: w");
    expect(heard).toEqual([
      ["a", "x", "1"],
      ["*", "a", "x"],
      ["once", "y"],
      ["*", "b", "y"],
      ["*", "b", "z"],
      ["*", "a", "w"],
    ]);
  });

  test("one that throws is reported, and affects no other", async () => {
    const expected = expectConsole(/a listener of a stream threw|the listener's own/);
    const { stream, line } = open();
    const heard: string[] = [];
    stream.on("a", () => {
      throw new Error("the listener's own");
    });
    stream.on("a", (data) => heard.push(data));
    await settle();
    await line.send("event: a\ndata: x");
    expect(heard).toEqual(["x"]);
    void expected;
  });

  test("without a contract data is text, and json() is there", async () => {
    const { stream, line } = open();
    const events: unknown[] = [];
    stream.on("*", (event) => events.push(event.json()));
    await settle();
    await line.send('data: {"n":1}');
    expect(events).toEqual([{ n: 1 }]);
  });
});

describe("under a contract", () => {
  const events = defineEvents({ n: z.object({ n: z.number() }), label: z.string(), html: text });

  test("data is decoded, validated and typed; invalid data goes to onInvalid", async () => {
    const invalid: unknown[] = [];
    const { stream, line } = open({ events, onInvalid: (_, event) => invalid.push([event.type, event.data]) });
    const heard: unknown[] = [];
    stream.on("n", (data) => {
      expectTypeOf(data).toEqualTypeOf<{ n: number }>();
      heard.push(data);
    });
    stream.on("label", (data) => heard.push(data));
    stream.on("html", (data) => heard.push(data));
    stream.on("*", (event) => {
      if (event.type === "n") expectTypeOf(event.data).toEqualTypeOf<{ n: number }>();
    });
    await settle();
    await line.send(
      'event: n\ndata: {"n":1}',
      'event: label\ndata: "12"',
      "event: html\ndata: <b>",
      'event: n\ndata: {"n":"x"}',
      "event: other\ndata: 1",
    );
    expect(heard).toEqual([{ n: 1 }, "12", "<b>"]);
    expect(invalid).toEqual([
      ["n", '{"n":"x"}'],
      ["other", "1"],
    ]);
  });

  test("an asynchronous schema keeps the order, of losses too", async () => {
    const later = async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, n));
      return true;
    };
    const slow = defineEvents({ n: z.number().refine(later) });
    const { stream, line } = open({ events: slow });
    const heard: unknown[] = [];
    stream.on("n", (n) => heard.push(n));
    stream.onLoss((loss) => heard.push(loss.kind));
    await settle();
    await line.send(
      "event: n\ndata: 20",
      "event: n\ndata: 1",
      'event: sse:gap\ndata: {"missed":1,"reason":"trimmed","exact":true}',
      "event: n\ndata: 2",
    );
    while (heard.length < 4) await tick();
    expect(heard).toEqual([20, 1, "gap", 2]);
  });

  test("validate: false trusts the server", async () => {
    const { stream, line } = open({ events, validate: false });
    const heard: unknown[] = [];
    stream.on("n", (data) => heard.push(data));
    await settle();
    await line.send('event: n\ndata: {"n":"x"}');
    expect(heard).toEqual([{ n: "x" }]);
  });
});

describe("loops", () => {
  test("get every event, filter by type, and stop reading when they are full", async () => {
    const { stream, line, environment } = open();
    const loop = stream.events({ types: ["a"], buffer: 2 });
    await settle();
    await line.send("event: a\ndata: 1", "event: b\ndata: x", "event: a\ndata: 2");
    const { pulled } = line;
    await line.send("event: a\ndata: 3");
    expect(stream.status.state).toBe("paused");
    environment.advance(500_000);
    expect(stream.status.state).toBe("paused");
    expect(line.pulled).toBe(pulled);
    const data: string[] = [];
    for await (const event of loop) if (data.push(event.data) === 3) break;
    expect(data).toEqual(["1", "2", "3"]);
    await settle();
    expect(stream.status.state).toBe("open");
  });

  test("drop-oldest drops, and reports how many; latest keeps the newest", async () => {
    const { stream, line } = open();
    const losses: unknown[] = [];
    stream.onLoss((loss) => losses.push(loss));
    const [dropping, latest] = [
      stream.events({ buffer: 2, whenFull: "drop-oldest" }),
      stream.events({ whenFull: "latest" }),
    ];
    await settle();
    await line.send("data: 1", "data: 2", "data: 3", "data: 4");
    await line.end();
    stream.close();
    const dataOf = async (loop: AsyncIterable<{ data: string }>) => {
      const data: string[] = [];
      for await (const event of loop) data.push(event.data);
      return data;
    };
    expect(await dataOf(dropping)).toEqual(["3", "4"]);
    expect(await dataOf(latest)).toEqual(["4"]);
    expect(losses.reduce((sum: number, loss) => sum + (loss as { missed: number }).missed, 0)).toBe(2);
  });

  test("batches give a burst as a whole", async () => {
    const { stream, line } = open();
    const batches = stream.batches();
    await settle();
    await line.send("data: 1", "data: 2", "data: 3");
    expect((await batches.next()).value?.map(({ data }) => data)).toEqual(["1", "2", "3"]);
  });

  test("a loop of a stream that failed throws its error after the events before it", async () => {
    const { stream, line, environment } = open();
    const loop = stream.events();
    await settle();
    await line.send("data: 1");
    line.responses.push(new Response("gone", { status: 404 }));
    await line.end();
    await retry(stream, environment);
    expect((await loop.next()).value?.data).toBe("1");
    await expect(loop.next()).rejects.toMatchObject({
      code: "ERR_SSE_STREAM",
      failure: "status",
      status: 404,
      body: "gone",
    });
    expect((await stream.closed).reason).toBe("failed");
  });

  test("the cursor is the position that consumers received, not the one that was parsed", async () => {
    const { stream, line } = open();
    const loop = stream.events();
    await settle();
    await line.send("id: e.1.a\ndata: 1", "id: e.2.b\ndata: 2");
    expect(stream.cursor).toBe("");
    await loop.next();
    expect(stream.cursor).toBe("e.1.a");
    await loop.next();
    expect(stream.cursor).toBe("e.2.b");
    await line.send("id: e.9.c\nevent: sse:checkpoint\ndata: {}");
    expect(stream.cursor).toBe("e.9.c");
  });

  test("of several loops, the cursor is before the oldest event that waits for any of them", async () => {
    const { stream, line } = open();
    const all = stream.events();
    const some = stream.events({ types: ["b"] });
    await settle();
    await line.send("id: e.1.a\ndata: 1", "id: e.2.b\nevent: b\ndata: 2", "id: e.3.c\ndata: 3");
    await all.next();
    expect(stream.cursor).toBe("e.1.a");
    await all.next();
    await all.next();
    expect(stream.cursor).toBe("e.1.a");
    await some.next();
    expect(stream.cursor).toBe("e.3.c");
  });

  test("a loop that is left before its first step does not stop the reading", async () => {
    const { stream, line } = open();
    const loop = stream.events({ buffer: 1 });
    stream.on("message", () => {});
    await settle();
    await line.send("id: e.1.a\ndata: 1");
    await loop.return();
    expect(stream.cursor).toBe("e.1.a");
    const read = line.pulled;
    await line.send("id: e.2.b\ndata: 2");
    expect(line.pulled).toBeGreaterThan(read);
  });

  test("steps that overlap are answered in order, and leaving answers those that wait", async () => {
    const { stream, line } = open();
    const loop = stream.events();
    const steps = [loop.next(), loop.next(), loop.next()];
    await settle();
    await line.send("id: e.1.a\ndata: 1", "id: e.2.b\ndata: 2");
    await loop.return();
    const ids = (await Promise.all(steps)).map(({ value, done }) => (done === true ? "end" : value.lastEventId));
    expect(ids).toEqual(["e.1.a", "e.2.b", "end"]);
  });
});

describe("control events", () => {
  test("losses reach onLoss in order, checkpoints and sse:later reach no consumer", async () => {
    const { stream, line, environment } = open();
    const heard: unknown[] = [];
    stream.on("*", ({ type }) => heard.push(type));
    stream.onLoss((loss) => heard.push(loss));
    await settle();
    await line.send(
      "event: a\ndata: 1",
      'event: sse:gap\ndata: {"missed":3,"from":2,"to":4,"reason":"trimmed","exact":false}',
      "event: b\ndata: 1",
      'event: sse:reset\ndata: {"reason":"epoch"}',
      "id: e.9.c\nevent: sse:checkpoint\ndata: {}",
      'event: sse:later\ndata: {"reason":"draining","retryAfter":20000}',
    );
    expect(heard).toEqual([
      "a",
      { kind: "gap", missed: 3, from: 2, to: 4, reason: "trimmed", exact: false },
      "b",
      { kind: "reset", reason: "epoch" },
    ]);
    await line.end();
    expect(stream.status.retryAt).toBeGreaterThanOrEqual(environment.time + 20_000);
    expect(stream.status.state).toBe("retrying");
  });

  test("a subscription whose address decides about the channels receives every loss, whatever channels it names", async () => {
    const { stream, line } = open();
    const heard: unknown[] = [];
    stream.onLoss(({ kind, ...rest }) => heard.push(kind, "channels" in rest && rest.channels));
    stream.on("*", () => {});
    await settle();
    await line.send(
      'event: sse:gap\ndata: {"missed":3,"reason":"trimmed","exact":false,"channels":["a"]}',
      'event: sse:reset\ndata: {"reason":"epoch","channels":["a"]}',
    );
    expect(heard).toEqual(["gap", ["a"], "reset", ["a"]]);
  });

  test.each([
    ["null", { kind: "gap", reason: "unknown", missed: 0, exact: false }],
    ["not JSON", { kind: "gap", reason: "unknown", missed: 0, exact: false }],
    ['{"channels":5,"missed":-1,"exact":true}', { kind: "gap", reason: "unknown", missed: 0, exact: false }],
    [
      '{"missed":2,"exact":true,"reason":"trimmed","from":"x","channels":["a",null]}',
      { kind: "gap", reason: "trimmed", missed: 2, exact: true, channels: ["a"] },
    ],
  ])("a loss has the fields of its type, when the server sends %s", async (data, expected) => {
    const { stream, line } = open();
    const heard: unknown[] = [];
    stream.onLoss((loss) => heard.push(loss));
    stream.on("*", () => {});
    await settle();
    await line.send(`event: sse:gap\ndata: ${data}`);
    expect(heard).toEqual([expected]);
  });

  test("an event that was delivered before the cut is dropped, values and foreign ids are not", async () => {
    const { stream, line, environment } = open();
    const data: string[] = [];
    stream.on("*", (event) => data.push(event.data));
    await settle();
    await line.send("id: e.5.a\ndata: five", "id: 7\ndata: foreign");
    await line.end();
    await retry(stream, environment);
    await line.send(
      "data: value",
      "id: e.4.b\ndata: four",
      "id: e.5.a\ndata: five",
      "id: 7\ndata: foreign",
      "id: e.6.c\ndata: six",
      "id: f.1.d\ndata: another epoch",
    );
    expect(data).toEqual(["five", "foreign", "value", "foreign", "six", "another epoch"]);
  });

  test("the stream ends when all its channels have ended", async () => {
    const { stream, line } = open({ channels: ["a", "b"] });
    stream.on("*", () => {});
    await settle();
    await line.send('event: sse:end\ndata: {"channel":"a"}');
    expect(stream.status.state).toBe("open");
    await line.send('event: sse:end\ndata: {"channel":"b"}');
    expect(await stream.closed).toEqual({ reason: "ended", error: undefined });
  });
});

describe("responses", () => {
  const html = () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } });

  test.each([
    ["204", () => new Response(null, { status: 204 }), "ended", undefined],
    [
      "a wrong content type",
      html,
      "failed",
      { failure: "content-type", contentType: "text/html", body: "<!doctype html>" },
    ],
    ["404", () => new Response("no", { status: 404 }), "failed", { failure: "status", status: 404 }],
    ["410", () => new Response("no", { status: 410 }), "failed", { failure: "status", status: 410 }],
    ["403", () => new Response("no", { status: 403 }), "failed", { failure: "status", status: 403 }],
  ] as const)("%s ends the stream", async (_, response, reason, error) => {
    const { stream, line } = open();
    line.responses.push(response());
    const opened = stream.opened.catch((failure: unknown) => failure);
    const closed = await stream.closed;
    expect(closed.reason).toBe(reason);
    if (error !== undefined) expect(closed.error).toMatchObject(error);
    expect(await opened).toBeInstanceOf(Error);
    expect(line.requests).toHaveLength(1);
  });

  test.each([408, 425, 429, 500, 502, 503, 504])("%i waits, at least as long as retry-after says", async (status) => {
    const { stream, line, environment } = open();
    line.responses.push(new Response(null, { status, headers: { "retry-after": "17" } }));
    stream.on("*", () => {});
    await settle();
    expect(stream.status).toMatchObject({ state: "retrying", error: { status } });
    expect(stream.status.retryAt).toBeGreaterThanOrEqual(environment.time + 17_000);
    await retry(stream, environment);
    expect(stream.status.state).toBe("open");
  });

  test.each([401, 403])("%i asks for the headers once more, then ends", async (status) => {
    let asked = 0;
    const { stream, line } = open({ headers: () => ({ authorization: String(++asked) }) });
    line.responses.push(new Response(null, { status }), new Response(null, { status }));
    stream.on("*", () => {});
    await stream.closed;
    expect([asked, line.requests.length]).toEqual([2, 2]);
  });

  test.each([
    ["url()", () => subscribe(() => "/events")],
    ["headers()", () => open({ headers: () => ({ "not a name": "x" }) }).stream],
    ["body", () => open({ body: { amount: 1n } }).stream],
  ])("%s that can never be sent ends the stream with an error that names it", async (name, start) => {
    const stream = start();
    stream.on("*", () => {});
    expect(await stream.closed).toMatchObject({
      reason: "failed",
      error: { failure: "request", message: expect.stringContaining(`The option ${name} is `) },
    });
  });

  test("a function that throws is called again", async () => {
    let calls = 0;
    const headers = () => {
      if (++calls === 1) throw new Error("no token yet");
      return {};
    };
    const { stream, environment } = open({ headers });
    stream.on("*", () => {});
    await settle();
    expect(stream.status).toMatchObject({ state: "retrying", error: { failure: "request" } });
    await retry(stream, environment);
    expect([calls, stream.status.state]).toEqual([2, "open"]);
  });

  test("shouldRetry overrides both ways", async () => {
    const seen: [number | undefined, number][] = [];
    const shouldRetry = (error: StreamError, attempt: number) => {
      seen.push([error.status, attempt]);
      return error.status === 404;
    };
    const { stream, line, environment } = open({ shouldRetry });
    line.responses.push(new Response(null, { status: 404 }), new Response(null, { status: 503 }));
    stream.on("*", () => {});
    await settle();
    expect(stream.status.state).toBe("retrying");
    await retry(stream, environment);
    expect((await stream.closed).error?.status).toBe(503);
    expect(seen).toEqual([
      [404, 1],
      [503, 2],
    ]);
  });

  test("a shouldRetry that throws is reported, and the client decides", async () => {
    const printed = expectConsole(/no idea/);
    const { stream, line, environment } = open({
      shouldRetry: () => {
        throw new Error("no idea");
      },
    });
    line.responses.push(new Response(null, { status: 503 }), new Response("no", { status: 404 }));
    stream.on("*", () => {});
    await settle();
    expect(stream.status).toMatchObject({ state: "retrying", error: { status: 503 } });
    await retry(stream, environment);
    expect((await stream.closed).error?.status).toBe(404);
    expect(printed).toHaveLength(2);
  });

  test("an event over maxEventSize ends the stream with an error that says so", async () => {
    const { stream, line } = open({ maxEventSize: 100 });
    stream.on("*", () => {});
    await settle();
    await line.send(`data: ${"x".repeat(200)}`);
    expect((await stream.closed).error).toMatchObject({
      failure: "event-size",
      message: expect.stringContaining("maxEventSize"),
    });
  });
});

describe("status", () => {
  test("reports each change once, with attempt, time and error", async () => {
    const { stream, line, environment } = open();
    const states: unknown[] = [];
    stream.onStatus(({ state, attempt, error }) => states.push([state, attempt, error?.failure]));
    line.responses.push(new TypeError("refused"));
    stream.on("*", () => {});
    await settle();
    await retry(stream, environment);
    await line.send(": keep-alive 1000\n");
    environment.advance(1_600);
    await line.send("data: x");
    stream.close();
    stream.close();
    expect(states).toEqual([
      ["connecting", 1, undefined],
      ["retrying", 1, "network"],
      ["connecting", 2, "network"],
      ["open", 0, undefined],
      ["stale", 0, undefined],
      ["open", 0, undefined],
      ["closed", 0, undefined],
    ]);
  });

  test("without a network it is offline, and comes back with it", async () => {
    const { stream, line, environment } = open();
    environment.isOnline = false;
    line.responses.push(new TypeError("refused"));
    stream.on("*", () => {});
    await settle();
    expect(stream.status.state).toBe("offline");
    environment.isOnline = true;
    environment.listener?.onWake();
    await settle();
    expect(stream.status.state).toBe("open");
  });
});

describe("reconnect()", () => {
  test("replaces an open connection, and resumes", async () => {
    const { stream, line } = open();
    const data: unknown[] = [];
    stream.reconnect();
    stream.on("*", (event) => data.push(event.data));
    await settle();
    await line.send("id: 1\ndata: a");
    stream.reconnect();
    expect(stream.status).toMatchObject({ state: "connecting", attempt: 1 });
    await settle();
    expect(stream.status.state).toBe("open");
    await line.send("id: 2\ndata: b");
    expect(line.requests.map(({ headers }) => headers.get("last-event-id"))).toEqual([null, "1"]);
    expect(data).toEqual(["a", "b"]);
    stream.close();
    stream.reconnect();
    await settle();
    expect(line.requests).toHaveLength(2);
  });

  test("brings the next attempt forward, which the status shows, but not before the server allows it", async () => {
    const { stream, line, environment } = open();
    const times: unknown[] = [];
    stream.onStatus(({ state, retryAt }) => {
      if (state === "retrying") times.push((retryAt ?? 0) - environment.time);
    });
    line.responses.push(new Response(null, { status: 503, headers: { "retry-after": "5" } }));
    stream.on("*", () => {});
    await settle();
    environment.advance(1_000);
    stream.reconnect();
    expect(times.at(-1)).toBe(4_000);
    expect(times[0]).toBeGreaterThan(5_000);
    environment.advance(3_999);
    await settle();
    expect(line.requests).toHaveLength(1);
    environment.advance(1);
    await settle();
    expect(stream.status.state).toBe("open");
  });
});

describe("the end", () => {
  test("close() ends it with its timers and listeners; nothing is delivered after it", async () => {
    const { stream, line, environment } = open();
    const data: string[] = [];
    stream.on("*", (event) => {
      data.push(event.data);
      stream.close();
    });
    await settle();
    await line.send("data: 1", "data: 2");
    expect(data).toEqual(["1"]);
    expect(await stream.closed).toEqual({ reason: "closed", error: undefined });
    expect([environment.timers, environment.listener]).toEqual([0, null]);
  });

  test("the signal ends it, before the first consumer too", async () => {
    const controller = new AbortController();
    const { stream } = open({ signal: controller.signal });
    stream.on("*", () => {});
    await settle();
    controller.abort();
    expect((await stream.closed).reason).toBe("aborted");
    expect((await open({ signal: AbortSignal.abort() }).stream.closed).reason).toBe("aborted");
  });
});

describe("options", () => {
  test.each([
    ["chanels", { chanels: ["a"] }],
    ["timeout.idel", { timeout: { idel: 1 } }],
    ["headers", { headers: 5 }],
    ["headers", { headers: { "not a name": "x" } }],
    ["credentials", { credentials: "yes" }],
    ["validate", { validate: "no" }],
    ["channels", { channels: "a" }],
    ["channels", { channels: [""] }],
    ["after", { after: 5 }],
    ["retry", { retry: 5 }],
    ["retry.initial", { retry: { initial: "soon" } }],
    ["timeout.idle", { timeout: { idle: 0 } }],
    ["method", { method: "GET", body: "x" }],
    ["method", { method: "HEAD" }],
    ["method", { method: "connect" }],
    ["method", { method: "" }],
    ["method", { method: "P OST" }],
    ["after", { after: "7\n" }],
    ["events", { events: {} }],
    ["fetch", { fetch: 5 }],
    ["maxEventSize", { maxEventSize: 0 }],
    ["lastEventIdIn", { lastEventIdIn: "cookie" }],
    ["signal", { signal: {} }],
    ["url", {}, ""],
    ["url", {}, "http://:bad"],
  ])("%s: %o is refused by name, before anything is sent", (name, options, url = "http://localhost/") => {
    expect(() => subscribe(url, options as never)).toThrow(
      expect.objectContaining({ code: "ERR_SSE_OPTION", message: expect.stringContaining(`The option ${name} `) }),
    );
  });

  test("a path outside of a browser is refused at once, with the remedy", async () => {
    expect(() => subscribe("/events")).toThrow(
      'The option url is "/events"; it takes an absolute address outside of a browser',
    );
    const line = new Line();
    const stream = subscribe("/events", { fetch: line.fetch });
    await stream.opened;
    expect(line.requests.map(({ url }) => url)).toEqual(["/events"]);
    stream.close();
  });

  test("a listener that is not a function is refused", () => {
    const { stream } = open();
    for (const add of [
      () => stream.on("x", 5 as never),
      () => stream.once("x", undefined as never),
      () => stream.on("*", null as never),
      () => stream.onLoss(5 as never),
      () => stream.onStatus({} as never),
      () => stream.onComment("x" as never),
    ]) {
      expect(add).toThrow(expect.objectContaining({ code: "ERR_SSE_ARGUMENT" }));
    }
  });

  test.each([
    ["buffer", { buffer: 0 }],
    ["whenFull", { whenFull: "explode" }],
  ])("%s of a loop is refused by name", (name, options) => {
    const { stream } = open();
    expect(() => void stream.events(options as never).next()).toThrow(
      expect.objectContaining({ message: expect.stringContaining(`The option ${name} `) }),
    );
  });
});
