import { describe, expect, test } from "vitest";
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
  /** A server of one stream, which records its requests. */
  function serverOf(body: string) {
    const requests: { url: string; init: RequestInit }[] = [];
    const fetch = async (url: string, init: RequestInit) => {
      requests.push({ url, init });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    };
    return { requests, options: { fetch: fetch as never, retry: false as const } };
  }

  const events = defineEvents({
    html: text,
    count: { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } },
  });

  test("asks for its address, with parameters, query and the options of subscribe()", async () => {
    const route = eventRoute({ path: "/rooms/:room/events/:day", events });
    const { requests, options } = serverOf("");
    const stream = openEvents(route, {
      baseUrl: "https://example.org/api",
      params: { room: "a/b", day: 7 },
      query: { last: 3, name: "ö", none: undefined },
      credentials: "include",
      headers: { authorization: "Bearer secret" },
      after: "41",
      ...options,
    });
    await stream.opened;
    stream.close();
    expect(requests).toMatchObject([
      {
        url: "https://example.org/api/rooms/a%2Fb/events/7?last=3&name=%C3%B6",
        init: { method: "GET", credentials: "include" },
      },
    ]);
    expect(Object.fromEntries(requests[0]?.init.headers as Headers)).toMatchObject({
      authorization: "Bearer secret",
      "last-event-id": "41",
    });
  });

  test("receives data as it was dispatched, and losses", async () => {
    const counts = ['{"n":1}', '"12"', "12", ""].map((data) => `event: count\ndata: ${data}\n\n`);
    const gap = 'event: sse:gap\ndata: {"missed":2,"reason":"trimmed","exact":true}\n\n';
    const { options } = serverOf(`${counts.join("")}${gap}event: html\ndata: 12\n\n`);
    const stream = openEvents(eventRoute({ path: "/", events }), { baseUrl: "http://localhost", ...options });
    const received: unknown[] = [];
    stream.on("count", (data, event) => received.push(data, event.type));
    stream.on("html", (data) => received.push(data));
    stream.onLoss((loss) => received.push(loss));
    expect(await stream.closed).toEqual({ reason: "ended", error: undefined });
    const loss = { kind: "gap", missed: 2, reason: "trimmed", exact: true };
    expect(received).toEqual([{ n: 1 }, "count", "12", "count", 12, "count", undefined, "count", loss, "12"]);
  });

  test("rejects data that does not fit the contract, without ending the stream", async () => {
    const { options } = serverOf("event: count\ndata: {\n\nevent: other\ndata: x\n\nevent: html\ndata: x\n\n");
    const invalid: string[] = [];
    const stream = openEvents(eventRoute({ path: "/", events }), {
      baseUrl: "http://localhost",
      onInvalid: (_, event) => invalid.push(event.type),
      ...options,
    });
    const received: string[] = [];
    stream.on("*", (event) => received.push(event.type));
    await stream.closed;
    expect([invalid, received]).toEqual([["count", "other"], ["html"]]);
  });
});
