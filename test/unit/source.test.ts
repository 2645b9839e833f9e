import { getEventListeners } from "node:events";
import { describe, expect, test, vi } from "vitest";
import { EventSource, ServerSentEvent } from "../../src/index.ts";
import fc from "../support/properties.ts";
import { BodyReader, openWeb, request, tick, url } from "../support/web.ts";

describe("properties of a source", () => {
  test("the constants are those of the standard, on class and instance", () => {
    const { source } = openWeb();
    for (const { CONNECTING, OPEN, CLOSED } of [EventSource, source]) {
      expect([CONNECTING, OPEN, CLOSED]).toEqual([0, 1, 2]);
    }
  });

  test("it is open as soon as it is made, and closed as soon as close() is called", () => {
    const { source } = openWeb();
    expect([source.readyState, source.closeReason]).toEqual([EventSource.OPEN, null]);
    void source.close();
    expect([source.readyState, source.closeReason]).toEqual([EventSource.CLOSED, "closed"]);
  });

  test("url, lastEventId and createdAt", () => {
    const before = Date.now();
    const { source } = openWeb({}, { query: "?a=1", headers: { "last-event-id": "7" } });
    expect(source).toMatchObject({ url: `${url}?a=1`, lastEventId: "7" });
    expect(source.createdAt).toBeGreaterThanOrEqual(before);
    expect(source.createdAt).toBeLessThanOrEqual(Date.now());
  });

  test.each([
    [{}, false],
    [{ cookie: "a=b" }, true],
    [{ authorization: "Bearer x" }, true],
  ])("withCredentials with %j is %s", (headers, expected) => {
    const source = new EventSource({ url, headers: { get: (name: string) => (headers as never)[name] ?? null } });
    expect(source.withCredentials).toBe(expected);
    void source.close();
  });
});

describe("dispatch", () => {
  test("sends type, data and options, and says that it did", async () => {
    const { source, client } = openWeb();
    expect(source.dispatch("tick", { n: 1 }, { id: 7, retry: 2_000 })).toBe(true);
    expect(source.dispatchMessage("text")).toBe(true);
    expect(source.dispatchMessage()).toBe(true);
    expect(source.dispatch("last", undefined, { id: "" })).toBe(true);
    void source.close();
    expect(await client.rest()).toEqual([
      { type: "tick", data: '{"n":1}', lastEventId: "7" },
      { type: "message", data: "text", lastEventId: "7" },
      { type: "message", data: "", lastEventId: "7" },
      { type: "last", data: "", lastEventId: "" },
    ]);
    expect(client.parser.retry).toBe(2_000);
  });

  test("comments are there for people who debug, line by line", async () => {
    const { source, client } = openWeb();
    expect(source.dispatchComment("a\r\ndata: b")).toBe(true);
    expect(source.dispatchComment()).toBe(true);
    void source.close();
    expect(await client.rest()).toEqual([]);
    expect(client.parser.comments.slice(-3)).toEqual(["a", "data: b", ""]);
  });

  test("a rejected event leaves no byte, neither before nor after", async () => {
    const { source, client } = openWeb();
    source.dispatch("a", "1");
    expect(() => source.dispatch("b\n", "2")).toThrow();
    expect(() => source.dispatch("b", 2n)).toThrow();
    expect(() => source.dispatch("b", "2", { id: "a b" })).toThrow();
    expect(() => source.dispatch("b", "2", { id: "ok", retry: 0 })).toThrow();
    expect(() => source.dispatchComment("\uD83D")).toThrow();
    source.dispatch("c", "3");
    void source.close();
    expect((await client.rest()).map((event) => event.type)).toEqual(["a", "c"]);
    expect(client.text).toMatch(/retry: \d+\nevent: a\ndata: 1\n\nevent: c\ndata: 3\n\n$/);
  });

  test("after close it returns false, for good events and bad ones, and nothing is sent", async () => {
    const { source, client } = openWeb();
    void source.close();
    expect(source.dispatch("a")).toBe(false);
    expect(source.dispatchMessage("a")).toBe(false);
    expect(source.dispatchComment("a")).toBe(false);
    expect(source.dispatchEvent(new ServerSentEvent("a"))).toBe(false);
    expect(await source.pipe(["a"])).toEqual({ ended: "closed", events: 0, reason: "closed" });
    expect(await client.rest()).toEqual([]);
  });

  test("any mix of calls reaches the client as it was, in one order", async () => {
    const call = fc.oneof(
      fc.record({ event: fc.string({ unit: "grapheme" }), id: fc.option(fc.nat(), { nil: undefined }) }),
      fc.record({ comment: fc.string({ unit: "grapheme" }) }),
      fc.record({ json: fc.jsonValue() }),
      fc.constant({ tick: true }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(call), async (calls) => {
        const { source, client } = openWeb();
        const said: string[] = [];
        for (const one of calls) {
          if ("event" in one) source.dispatch("t", one.event, one.id === undefined ? {} : { id: one.id });
          else if ("json" in one) source.dispatch("j", one.json);
          else if ("comment" in one) source.dispatchComment(one.comment);
          else await tick();
          if ("event" in one) said.push(one.event.replace(/\r\n|\r/g, "\n"));
          if ("json" in one)
            said.push(typeof one.json === "string" ? one.json.replace(/\r\n?/g, "\n") : JSON.stringify(one.json));
        }
        void source.close();
        expect((await client.rest()).map((event) => event.data)).toEqual(said);
        expect(client.parser.complete).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe("render", () => {
  const render = (element: { tag: string; lines: string[] }) =>
    `<${element.tag}>\n${element.lines.join("\r\n")}\n</${element.tag}>`;

  test("turns elements of any library into HTML whose lines survive", async () => {
    const { source, client } = openWeb({ render });
    source.dispatch("cell", { tag: "td", lines: ["  a", "b"] });
    expect(await client.next()).toMatchObject({ type: "cell", data: "<td>\n  a\nb\n</td>" });
  });

  test("is what the generic form takes elements for", async () => {
    type Element = { type: string; children: (Element | string)[] };
    const html = ({ type, children }: Element): string =>
      `<${type}>${children.map((child) => (typeof child === "string" ? child : html(child))).join("\n")}</${type}>`;
    const source = new EventSource<true>(request(), html);
    source.dispatch("t", { type: "b", children: ["x", { type: "i", children: [] }] } satisfies Element);
    void source.close();
    expect((await new BodyReader(source.response()).rest())[0]?.data).toBe("<b>x\n<i></i></b>");
  });

  test("is not asked for strings, nor for no data", async () => {
    const spy = vi.fn(render);
    const { source, client } = openWeb({ render: spy });
    source.dispatch("a", "<b>\n</b>");
    source.dispatch("b");
    expect([(await client.next()).data, (await client.next()).data]).toEqual(["<b>\n</b>", ""]);
    expect(spy).not.toHaveBeenCalled();
  });

  test.each([5, undefined, null, {}])("is refused when it returns %s", (value) => {
    const { source } = openWeb({ render: () => value as string });
    expect(() => source.dispatch("t", {})).toThrow(expect.objectContaining({ code: "ERR_SSE_RENDER" }));
  });

  test("may throw, which reaches only the caller", async () => {
    const failure = new Error("no template");
    const { source, client } = openWeb({
      render: () => {
        throw failure;
      },
    });
    expect(() => source.dispatch("t", {})).toThrow(failure);
    expect(source.dispatch("t", "still here")).toBe(true);
    expect((await client.next()).data).toBe("still here");
  });
});

describe("signal", () => {
  test("is aborted when the source closes, with the reason", async () => {
    const { source } = openWeb();
    const { signal } = source;
    expect(signal.aborted).toBe(false);
    expect(source.signal).toBe(signal);
    await source.close("enough");
    expect([signal.aborted, signal.reason]).toEqual([true, "enough"]);
  });

  test("is aborted already where it is asked for later", async () => {
    const { source } = openWeb();
    await source.close("enough");
    expect([source.signal.aborted, source.signal.reason]).toEqual([true, "enough"]);
  });
});

describe("close()", () => {
  test("ends the body after all that was dispatched", async () => {
    const { source, client } = openWeb();
    await client.read();
    source.dispatch("last", "words");
    void source.close();
    expect((await client.rest()).map((event) => event.data)).toEqual(["words"]);
  });

  test("twice is once, with the first reason", async () => {
    const { source } = openWeb();
    const closed = vi.fn();
    source.addEventListener("close", closed);
    await Promise.all([source.close("first"), source.close("second")]);
    expect(closed).toHaveBeenCalledOnce();
    expect(source.closeReason).toBe("first");
  });

  test("await using closes at the end of the block", async () => {
    let left: EventSource;
    {
      await using source = new EventSource(request());
      left = source;
      expect(source.readyState).toBe(EventSource.OPEN);
    }
    expect(left.readyState).toBe(EventSource.CLOSED);
  });

  test("leaves no listener on the request's signal", async () => {
    const controller = new AbortController();
    const signal = controller.signal;
    const source = new EventSource({ url, headers: new Headers(), signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    await source.close();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});

describe("a client that left before the source was made", () => {
  const aborted = () => request({ signal: AbortSignal.abort() });

  test("leaves a source that is closed, not a zombie", () => {
    const source = new EventSource(aborted());
    expect([source.readyState, source.closeReason, source.dispatch("t")]).toEqual([
      EventSource.CLOSED,
      "disconnected",
      false,
    ]);
    expect([source.signal.aborted, source.signal.reason, source.bufferedAmount]).toEqual([true, "disconnected", 0]);
  });

  test("during an await", async () => {
    const controller = new AbortController();
    const late = request({ signal: controller.signal });
    setImmediate(() => controller.abort());
    await tick().then(tick);
    expect(new EventSource(late).readyState).toBe(EventSource.CLOSED);
  });

  test("is dispatched to listeners of close, once, and not to those of open", async () => {
    const source = new EventSource(aborted());
    const heard: string[] = [];
    source.addEventListener("open", () => heard.push("open"));
    source.addEventListener("close", (event) => heard.push(`close: ${event.reason}`));
    await tick();
    expect(heard).toEqual(["close: disconnected"]);
  });

  test("gets a response whose body has ended", async () => {
    expect(await new EventSource(aborted()).response().text()).toBe("");
  });

  test("close() and pipe() resolve at once, and the producer is stopped", async () => {
    const source = new EventSource(aborted());
    await source.close();
    const producer = { next: vi.fn(), return: vi.fn(async () => ({})), [Symbol.asyncIterator]: () => producer };
    expect(await source.pipe(producer as never)).toEqual({ ended: "closed", events: 0, reason: "disconnected" });
    expect(producer.next).not.toHaveBeenCalled();
    expect(producer.return).toHaveBeenCalledOnce();
  });
});

describe("HEAD", () => {
  test("gets the headers and no body, and leaves no source open", async () => {
    const { source, response } = openWeb({}, { method: "HEAD" });
    expect([response.status, response.body, source.readyState]).toEqual([200, null, EventSource.CLOSED]);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
  });
});

describe("POST", () => {
  test("lives on whether its body is read before or after, and its end is seen", async () => {
    for (const early of [true, false]) {
      const controller = new AbortController();
      const post = request({ method: "POST", body: "{}", signal: controller.signal });
      if (early) expect(await post.text()).toBe("{}");
      const source = new EventSource(post);
      const client = new BodyReader(source.response());
      if (!early) expect(await post.text()).toBe("{}");
      source.dispatch("t", 1);
      expect((await client.next()).data).toBe("1");
      controller.abort();
      expect([source.readyState, source.closeReason]).toEqual([EventSource.CLOSED, "disconnected"]);
    }
  });
});
