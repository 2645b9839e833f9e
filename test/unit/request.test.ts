import { createServer, type IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { createSSE } from "../../src/adapters/express.ts";
import { openEventSource, respond } from "../../src/adapters/node.ts";
import { acceptsEventStream } from "../../src/http/request.ts";
import { createHub, EventSource, type RequestLike } from "../../src/index.ts";
import { openWeb, request } from "../support/web.ts";

/** A request with only the parts that the fetch standard requires, as small runtimes have it. */
function requestLike(url: string, headers: Record<string, string> = {}): RequestLike {
  return { url, headers: { get: (name) => headers[name] ?? null } };
}

async function lastEventIdOf(request: RequestLike): Promise<string> {
  await using source = new EventSource(request);
  return source.lastEventId;
}

const latin1 = (text: string) => Buffer.from(text, "utf8").toString("latin1");

describe("rule 12: Last-Event-ID is read as UTF-8", () => {
  test.each(["7", "", "a-1.2~3", "é", "日本語", "\u{1F600}", "a b"])(
    "%j, from bytes handed over as latin1",
    async (id) => {
      expect(await lastEventIdOf(requestLike("/", { "last-event-id": latin1(id) }))).toBe(id);
    },
  );

  test("from a web Request", async () => {
    expect(await lastEventIdOf(request({ headers: { "Last-Event-ID": latin1("é") } }))).toBe("é");
  });

  test("an id that a runtime has decoded, or that is not UTF-8, stays as it is", async () => {
    expect(await lastEventIdOf(requestLike("/", { "last-event-id": "日本" }))).toBe("日本");
    expect(await lastEventIdOf(requestLike("/", { "last-event-id": "\xe9t\xe9" }))).toBe("été");
  });
});

describe("rule 13: the query parameter lastEventId is accepted too", () => {
  test.each([
    ["http://localhost/?lastEventId=7", "7"],
    ["/events?channel=a&lastEventId=e-1", "e-1"],
    ["http://localhost/?lastEventId=%C3%A9+b", "é b"],
    ["http://localhost/?lastEventId=7#part", "7"],
    ["http://localhost/?lasteventid=7", ""],
    ["http://localhost/#?lastEventId=7", ""],
    ["/events?lastEventId=7&channel=a&lastEventId=8", "8"],
    ["/events?lastEventId=7&lastEventId=", ""],
    ["http://localhost/", ""],
  ])("%s", async (url, id) => {
    expect(await lastEventIdOf(requestLike(url))).toBe(id);
  });

  test("an empty header counts as absent", async () => {
    expect(await lastEventIdOf(request({ query: "?lastEventId=1", headers: { "last-event-id": "" } }))).toBe("1");
  });

  test("the header wins, since a client that reconnects keeps the query it began with", async () => {
    expect(await lastEventIdOf(request({ query: "?lastEventId=1", headers: { "last-event-id": "2" } }))).toBe("2");
  });
});

describe("rule 20: what is accepted", () => {
  test.each([
    [null, true],
    ["", true],
    ["*/*", true],
    ["text/*", true],
    ["text/event-stream", true],
    ["TEXT/Event-Stream; q=0.5", true],
    ["text/html, text/event-stream", true],
    ["application/json, text/html;q=0.9, */*;q=0.1", true],
    ["text/html", false],
    ["application/json, text/html", false],
    ["text/event-stream;q=0", false],
    ["text/event-stream; q=0.000", false],
    ["*/*, text/event-stream;q=0", false],
    ["text/*;q=0, */*", false],
    ["text/event-streaming", false],
  ])("Accept: %s", (accept, accepted) => {
    expect(acceptsEventStream(requestLike("/", accept === null ? {} : { accept }))).toBe(accepted);
  });

  test.each(["text/html", "application/json"])(
    "no request is rejected unless `negotiate` is set: %s",
    async (accept) => {
      const { source, response } = openWeb({}, { headers: { accept } });
      expect([response.status, source.readyState]).toEqual([200, EventSource.OPEN]);
      await source.close();
    },
  );

  test("negotiate answers 406 in plain words, and the source is closed from its start", async () => {
    const { source, response } = openWeb({ negotiate: true }, { headers: { accept: "text/html" } });
    expect([response.status, source.readyState, source.dispatch("t")]).toEqual([406, EventSource.CLOSED, false]);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
    const later = new EventSource(request({ headers: { accept: "text/html" } }), { negotiate: true });
    expect(await later.response().text()).toContain("text/event-stream");
  });

  test("negotiate lets through who takes event streams among others", async () => {
    const { source, response } = openWeb({ negotiate: true }, { headers: { accept: "text/html, text/event-stream" } });
    expect(response.status).toBe(200);
    await source.close();
  });
});

describe("the wrong kind of request is refused with the way that fits it:", () => {
  const requestError = (message: RegExp) =>
    expect.objectContaining({ code: "ERR_SSE_ARGUMENT", message: expect.stringMatching(message) });
  const nodeRequest = { url: "/events", method: "GET", headers: { host: "localhost" } } as unknown as IncomingMessage;
  const nodeResponse = new ServerResponse(nodeRequest);

  test("a request of node:http given to EventSource", () => {
    expect(() => new EventSource(nodeRequest as never)).toThrow(requestError(/openEventSource.*sourcecast\/node/));
  });

  test.each([undefined, null, "http://localhost/", 5, {}, new URL("http://localhost/"), createServer()])(
    "something else given to EventSource: %s",
    (value) => {
      expect(() => new EventSource(value as never)).toThrow(requestError(/Request/));
    },
  );

  test("a request of Fastify given to EventSource", () => {
    const fastifyRequest = { url: "/events", headers: {}, raw: nodeRequest };
    expect(() => new EventSource(fastifyRequest as never)).toThrow(
      requestError(/openEventSource\(request, reply\).*sourcecast\/fastify/),
    );
  });

  test("a web Request given to openEventSource", () => {
    expect(() => openEventSource(request() as never, nodeResponse)).toThrow(requestError(/new EventSource/));
  });

  test.each([undefined, null, "req", 5, {}])("something else given to openEventSource: %s", (value) => {
    expect(() => openEventSource(value as never, nodeResponse)).toThrow(requestError(/takes the request of node:http/));
  });

  test.each([undefined, null, {}, 5])("no response given to openEventSource: %s", (value) => {
    expect(() => openEventSource(nodeRequest, value as never)).toThrow(requestError(/takes the response of node:http/));
  });

  test("request and response the wrong way round", () => {
    expect(() => openEventSource(nodeResponse as never, nodeRequest as never)).toThrow(
      requestError(/takes the response of node:http/),
    );
  });

  test.each<[string, () => unknown]>([
    ["openEventSource", () => openEventSource(nodeRequest, new Response() as never)],
    ["attach", () => createSSE().attach("ann", new Response() as never)],
  ])("a web Response given to %s", async (caller, act) => {
    await expect(async () => act()).rejects.toThrow(
      requestError(new RegExp(`^${caller}\\(\\) .*routes that return one`)),
    );
  });

  test("a web Response given to respond", async () => {
    await using hub = createHub();
    await expect(respond(hub, nodeRequest, new Response() as never, { channels: ["a"] })).rejects.toThrow(
      requestError(/routes that return one/),
    );
  });

  test("a reply of Fastify given to openEventSource of sourcecast/node", () => {
    const [fastifyRequest, reply] = [{ headers: {}, raw: nodeRequest }, { raw: nodeResponse }];
    expect(() => openEventSource(fastifyRequest as never, reply as never)).toThrow(requestError(/sourcecast\/fastify/));
  });

  test("a context of Koa given to openEventSource", () => {
    const context = { headers: {}, url: "/events", req: nodeRequest, res: nodeResponse };
    expect(() => (openEventSource as (ctx: unknown) => unknown)(context)).toThrow(
      requestError(/ctx\.req and ctx\.res/),
    );
  });
});

test("a response that is made into JSON, as Express does with what it is given to send, is an error that says what to do", () => {
  const { response } = openWeb();
  expect(() => JSON.stringify({ response })).toThrow(
    expect.objectContaining({
      code: "ERR_SSE_ARGUMENT",
      message: expect.stringContaining("openEventSource(req, res)"),
    }),
  );
  expect(Object.keys(response)).toEqual(Object.keys(new Response()));
});
