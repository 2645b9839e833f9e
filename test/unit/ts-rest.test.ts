import { afterEach, describe, expect, test, vi } from "vitest";
import { eventHandler, eventRoute, openEvents } from "../../src/adapters/ts-rest.ts";
import { claimResponse } from "../../src/sinks/claim.ts";
import { defineEvents, text } from "../../src/wire/contract.ts";

describe("an event route", () => {
  const events = defineEvents({});

  test("is a query of ts-rest with the contract of its events added", () => {
    const route = eventRoute({
      path: "/events",
      events,
      summary: "Events",
      responses: { 401: "no" },
      metadata: { a: 1 },
    });
    expect(route).toEqual({
      method: "GET",
      path: "/events",
      summary: "Events",
      responses: { 200: null, 401: "no" },
      metadata: { a: 1, events },
    });
  });

  test("its controller may return a result in place of a stream", async () => {
    const result = { status: 404, body: "none" };
    expect(await eventHandler(() => result)({ res: {} })).toBe(result);
  });

  test("its controller is told when it did neither", async () => {
    await expect(eventHandler(() => undefined)({ res: {} })).rejects.toMatchObject({
      code: "ERR_SSE_ARGUMENT",
      message: expect.stringMatching(/^The controller opened no stream and returned nothing; call attach/),
    });
  });

  test("a stream that it opened is not answered again by ts-rest", async () => {
    const res = {};
    const handler = eventHandler(({ res }) => claimResponse(res));
    const { body } = (await handler({ res })) as { body: { pipe(to: unknown): unknown } };
    expect(body.pipe(res)).toBe(res);
    expect(Object.getPrototypeOf(body)).toBe(res);
  });
});

describe("a client of an event route", () => {
  class FakeEventSource extends EventTarget {
    readonly url: string;
    readonly init: unknown;
    closed = false;

    constructor(url: string, init: unknown) {
      super();
      this.url = url;
      this.init = init;
    }

    close(): void {
      this.closed = true;
    }
  }

  const FakeClass = FakeEventSource as never;
  const events = defineEvents({
    html: text,
    count: { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } },
  });

  test("asks for its address, with parameters and query", () => {
    const route = eventRoute({ path: "/rooms/:room/events/:day", events });
    const { source } = openEvents(route, {
      baseUrl: "https://example.org/api",
      params: { room: "a/b", day: 7 },
      query: { last: 3, name: "ö", none: undefined },
      withCredentials: true,
      EventSource: FakeClass,
    });
    expect(source).toMatchObject({
      url: "https://example.org/api/rooms/a%2Fb/events/7?last=3&name=%C3%B6",
      init: { withCredentials: true },
    });
  });

  test("receives data as it was dispatched", () => {
    const stream = openEvents(eventRoute({ path: "/", events }), { baseUrl: "", EventSource: FakeClass });
    const heard: unknown[] = [];
    stream.on("count", (data) => heard.push(data));
    const source = stream.source as unknown as FakeEventSource;
    for (const data of ['{"n":1}', '"12"', "12", ""]) source.dispatchEvent(Object.assign(new Event("count"), { data }));
    expect(heard).toEqual([{ n: 1 }, "12", 12, undefined]);
    stream.on("html", (data) => heard.push(data));
    source.dispatchEvent(Object.assign(new Event("html"), { data: "12" }));
    expect(heard.at(-1)).toBe("12");
    stream.close();
    expect(source.closed).toBe(true);
  });

  afterEach(() => void vi.unstubAllGlobals());

  test("says where a runtime has none", () => {
    vi.stubGlobal("EventSource", undefined);
    expect(() => openEvents(eventRoute({ path: "/", events }), { baseUrl: "" })).toThrow(
      "This runtime has no EventSource; pass a class as the option EventSource",
    );
  });
});
