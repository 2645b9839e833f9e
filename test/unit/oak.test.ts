import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { type OakContext, respond, sendEvents, withSendEvents } from "../../src/adapters/oak.ts";
import { createHub, type EventSource, ServerSentEvent } from "../../src/index.ts";
import { BodyReader } from "../support/web.ts";

/**
 * The parts of Oak 17 that the adapter touches, and some around them, as its documentation has them: Oak 17 comes by
 * JSR only. An adapter that needed more, or another form, would not compile.
 */
interface Oak17ServerRequest {
  readonly remoteAddr: string | undefined;
  readonly headers: Headers;
  readonly method: string;
  readonly rawUrl?: string;
  readonly url: string;
  readonly body: ReadableStream<Uint8Array> | null;
  error(reason?: unknown): void;
  getBody(): ReadableStream<Uint8Array> | null;
  respond(response: Response): void | Promise<void>;
  upgrade?(options?: { protocol?: string; idleTimeout?: number }): WebSocket;
}

interface Oak17Request {
  readonly hasBody: boolean;
  readonly headers: Headers;
  readonly ip: string;
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  readonly originalRequest: Oak17ServerRequest;
  readonly secure: boolean;
  readonly source: Request | undefined;
  readonly url: URL;
  accepts(...types: string[]): string | undefined;
}

interface Oak17Response {
  body: unknown;
  headers: Headers;
  status: number;
  type: string | undefined;
  readonly writable: boolean;
  with(response: Response): void;
  with(body: unknown, init?: { status?: number; headers?: [string, string][] }): void;
}

interface Oak17Application<State> {
  state: State;
  addEventListener(type: "close" | "listen", listener: ((event: Event) => void) | null, options?: boolean): void;
  addEventListener(type: "error", listener: ((event: ErrorEvent) => void) | null, options?: boolean): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean): void;
}

interface Oak17Context<State = Record<string, unknown>> {
  app: Oak17Application<State>;
  request: Oak17Request;
  response: Oak17Response;
  respond: boolean;
  state: State;
  sendEvents(options?: { headers?: HeadersInit; keepAlive?: boolean | number }): Promise<EventTarget>;
}

type Middleware = (context: Oak17Context, next: () => Promise<unknown>) => Promise<unknown> | unknown;

test("its types are those that the adapter asks for", () => {
  expectTypeOf<Oak17Context>().toExtend<OakContext>();
  expectTypeOf<Oak17Context<{ user: string }>>().toExtend<OakContext>();
  expectTypeOf(withSendEvents).returns.toExtend<Middleware>();
  expectTypeOf((ctx: Oak17Context) =>
    sendEvents(ctx, { headers: new Headers(), keepAlive: true }),
  ).returns.toExtend<EventSource>();
});

/** A context as one of Oak 17 has it when a web request came in, and what was answered. */
function contextOf(request: Request) {
  const answered: Response[] = [];
  const app = new EventTarget() as EventTarget & { state: object };
  const originalRequest = { respond: (response: Response) => void answered.push(response), error() {} };
  const context = {
    app,
    respond: true,
    request: { originalRequest, source: request, url: new URL(request.url), method: "GET", headers: request.headers },
    response: { headers: new Headers({ "x-app": "yes" }), with() {} },
  };
  return { context: context as unknown as Oak17Context, app, answered };
}

describe("a web request of Oak 17", () => {
  const request = () => new Request("http://localhost/sse", { headers: { "last-event-id": "7" } });

  test("is answered at once, with the headers of the context", async () => {
    const { context, answered } = contextOf(request());
    const target = sendEvents(context, { headers: { "x-own": "too" } });
    target.dispatchMessage("hello");
    expect(answered).toHaveLength(1);
    const [response] = answered as [Response];
    expect([context.respond, response.headers.get("x-app"), response.headers.get("x-own")]).toEqual([
      false,
      "yes",
      "too",
    ]);
    expect(target.lastEventId).toBe("7");
    expect((await new BodyReader(response).next()).data).toBe("hello");
    await target.close();
  });

  test("ends with its application", async () => {
    const { context, app, answered } = contextOf(request());
    const target = sendEvents(context);
    app.dispatchEvent(new Event("close"));
    await new BodyReader(answered[0] as Response).rest();
    expect(target.closeReason).toBe("shutdown");
  });

  test("shares one listener on its application with all others, and ends with it", async () => {
    const { context, app } = contextOf(request());
    const listened = vi.spyOn(app, "addEventListener");
    const targets = Array.from({ length: 30 }, () => {
      const other = contextOf(request()).context;
      return sendEvents({ ...other, app: context.app });
    });
    // Node warns of the eleventh listener, which would fail the test.
    expect(listened).toHaveBeenCalledOnce();
    await targets[0]?.close();
    app.dispatchEvent(new Event("close"));
    expect(targets.map(({ closeReason }) => closeReason)).toEqual(["closed", ...Array(29).fill("shutdown")]);
  });

  test("raises a local event for dispatchEvent alone", async () => {
    const { context, answered } = contextOf(request());
    const target = sendEvents(context);
    const heard: string[] = [];
    for (const type of ["ping", "message", "__message"]) target.addEventListener(type, () => heard.push(type));
    target.dispatch("ping", 1);
    target.dispatchMessage(2);
    target.dispatchEvent(new ServerSentEvent("ping", 3));
    await target.close();
    expect(heard).toEqual(["ping"]);
    expect((await new BodyReader(answered[0] as Response).rest()).map(({ data }) => data)).toEqual(["1", "2", "3"]);
  });

  test("may follow a hub", async () => {
    await using hub = createHub();
    const { context, answered } = contextOf(new Request("http://localhost/sse"));
    await respond(hub, context, { channels: ["news"] });
    const client = new BodyReader(answered[0] as Response);
    await hub.channel("news").dispatch("headline", "new");
    while ((await client.next()).type !== "headline");
  });
});

test("on Node all cookies of the context are set, though Oak sets each header once", async () => {
  const { context } = contextOf(new Request("http://localhost/sse"));
  context.response.headers.append("set-cookie", "a=1");
  context.response.headers.append("set-cookie", "b=2");
  const set = new Map<string, unknown>();
  const respond = async ({ headers, body }: { headers: Iterable<[string, unknown]>; body: ReadableStream }) => {
    for (const [name, value] of headers) set.set(name, value);
    for await (const _ of body);
  };
  Object.assign(context.request, { source: undefined, originalRequest: { respond, error() {} } });
  await sendEvents(context).close();
  expect(set.get("set-cookie")).toEqual(["a=1", "b=2"]);
  expect(set.get("content-type")).toBe("text/event-stream");
});

test.each([undefined, null, {}, { request: {} }])("anything else than a context is refused: %s", (context) => {
  expect(() => sendEvents(context as never)).toThrow(
    expect.objectContaining({
      code: "ERR_SSE_ARGUMENT",
      message: expect.stringContaining("that Oak calls a route with"),
    }),
  );
});
