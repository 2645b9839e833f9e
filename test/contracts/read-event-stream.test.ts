// One response as events: whatever the body is, to its end, at the pace of the loop, and without a trace when the loop is left.
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { type EventStreamBody, EventStreamDecoder, readEventStream } from "../../src/client/index.ts";
import { eventually } from "../support/deadline.ts";
import { tick } from "../support/web.ts";

const text = 'id: 7\nevent: greeting\ndata: hello\n\ndata: {"n":1}\n\n';
const bytes = new TextEncoder().encode(text);
const headers = { "content-type": "text/event-stream" };

/** A stream of bytes that is never closed, with how it was read. */
function endless() {
  const seen = { pulled: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        seen.pulled++;
        controller.enqueue(bytes);
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, seen };
}

/** The events so far, and the error that ended them. */
async function read(body: EventStreamBody): Promise<{ data: string[]; error: unknown }> {
  const data: string[] = [];
  try {
    for await (const event of readEventStream(body)) data.push(event.data);
  } catch (error) {
    return { data, error };
  }
  return { data, error: undefined };
}

async function* halves(): AsyncGenerator<Uint8Array> {
  yield bytes.slice(0, 9);
  yield bytes.slice(9);
}

describe("a body", () => {
  const { response } = (() => {
    // As the class of another package: the same members, and another prototype.
    const { status, ok, headers: given, body } = new Response(text, { headers });
    return { response: { status, ok, headers: given, body } as Response };
  })();

  test.each<[string, EventStreamBody]>([
    ["a Response", new Response(text, { headers })],
    ["a Response of another package", response],
    ["a web stream of bytes", new Response(bytes).body as ReadableStream<Uint8Array>],
    ["a web stream of text", new Response(text).body?.pipeThrough(new TextDecoderStream()) as ReadableStream<string>],
    ["a Node stream of bytes", Readable.from([Buffer.from(bytes.slice(0, 9)), Buffer.from(bytes.slice(9))])],
    ["a Node stream of text", Readable.from([text])],
    ["an asynchronous iterable", halves()],
    ["a list", [text.slice(0, 20), text.slice(20)]],
  ])("may be %s", async (_, body) => {
    expect(await read(body)).toEqual({ data: ["hello", '{"n":1}'], error: undefined });
  });

  test("gives events with type, id, position and JSON", async () => {
    const events = await Array.fromAsync(readEventStream([text]));
    expect(events).toMatchObject([
      { type: "greeting", data: "hello", id: "7", lastEventId: "7" },
      { type: "message", id: undefined, lastEventId: "7" },
    ]);
    expect(events[1]?.json()).toEqual({ n: 1 });
  });

  test("that ends within an event gives no such event", async () => {
    expect(await read([text, "data: half"])).toEqual({ data: ["hello", '{"n":1}'], error: undefined });
  });
});

describe("a response that is not an event stream", () => {
  test.each([
    ["content-type", new Response("<!doctype html>", { headers: { "content-type": "text/html" } }), 200],
    ["status", new Response('{"error":"no"}', { status: 429, headers: { "content-type": "application/json" } }), 429],
    ["status", new Response(text, { status: 500, headers }), 500],
  ] as const)("is an error of the kind %s, with the first characters", async (failure, response, status) => {
    const { data, error } = await read(response);
    expect([data, error]).toMatchObject([[], { code: "ERR_SSE_STREAM", failure, status, body: expect.any(String) }]);
  });

  test.each([5, null, {}, "data: x"])("%o is refused at once", (body) => {
    expect(() => readEventStream(body as never)).toThrow(expect.objectContaining({ code: "ERR_SSE_ARGUMENT" }));
  });
});

describe("a body that is cut off", () => {
  const cut = new Error("reset by peer");

  test.each<[string, () => EventStreamBody]>([
    [
      "a web stream",
      () => {
        const parts = [bytes];
        return new ReadableStream<Uint8Array>({
          pull(controller) {
            const part = parts.shift();
            if (part === undefined) controller.error(cut);
            else controller.enqueue(part);
          },
        });
      },
    ],
    [
      "a Node stream",
      () =>
        Readable.from(
          (async function* () {
            yield Buffer.from(bytes);
            throw cut;
          })(),
        ),
    ],
  ])("%s: the events before it, then an error with the cause", async (_, body) => {
    const { data, error } = await read(body());
    expect([data, error]).toMatchObject([["hello", '{"n":1}'], { failure: "network", cause: cut }]);
  });
});

describe("the loop", () => {
  test("asks for no more than it takes", async () => {
    const { body, seen } = endless();
    const events = readEventStream(body);
    expect(seen.pulled).toBe(0);
    for (let taken = 1; taken <= 6; taken++) {
      await events.next();
      expect(seen.pulled).toBe(Math.ceil(taken / 2));
    }
    await events.return();
  });

  test("cancels the producer when it is left, and when an event is too large", async () => {
    const left = endless();
    for await (const _ of readEventStream(left.body)) break;
    const large = endless();
    const tooLarge = Array.fromAsync(readEventStream(large.body, { maxEventSize: 4 }));
    await expect(tooLarge).rejects.toMatchObject({ code: "ERR_SSE_LIMIT" });
    expect([left.seen.cancelled, large.seen.cancelled]).toEqual([true, true]);
  });

  test("destroys a Node stream when it is left", async () => {
    const stream = Readable.from([text, text]);
    for await (const _ of readEventStream(stream)) break;
    expect(stream.destroyed).toBe(true);
  });
});

describe("EventStreamDecoder", () => {
  test("turns bytes in any pieces into events, and knows where a reconnect continues", async () => {
    const decoder = new EventStreamDecoder({ lastEventId: "3" });
    expect(decoder.lastEventId).toBe("3");
    const { body } = new Response(`retry: 500\n${text}data: half`);
    const events = await Array.fromAsync((body as ReadableStream<Uint8Array>).pipeThrough(decoder));
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ["greeting", "hello"],
      ["message", '{"n":1}'],
    ]);
    expect([decoder.lastEventId, decoder.reconnectionTime]).toEqual(["7", 500]);
  });

  test("passes on the pace of its reader, and its leaving", async () => {
    const { body, seen } = endless();
    const reader = body.pipeThrough(new EventStreamDecoder()).getReader();
    await reader.read();
    await tick();
    expect(seen.pulled).toBeLessThanOrEqual(3);
    await reader.cancel();
    await eventually("the producer is cancelled", async () => seen.cancelled, Boolean);
  });

  test("ends with an error at an event over its limit, and refuses wrong options by name", async () => {
    const { body } = new Response(text);
    const events = (body as ReadableStream<Uint8Array>).pipeThrough(new EventStreamDecoder({ maxEventSize: 4 }));
    await expect(Array.fromAsync(events)).rejects.toMatchObject({ code: "ERR_SSE_LIMIT" });
    expect(() => new EventStreamDecoder({ maxEventSize: 0 })).toThrow("maxEventSize");
    expect(() => new EventStreamDecoder({ lastEventID: "3" } as never)).toThrow("lastEventId");
  });
});
