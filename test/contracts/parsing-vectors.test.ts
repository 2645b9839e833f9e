// One table of streams, in many chunkings each, for everything that parses: the parser, subscribe(), the class, one response.
import { describe, expect, test } from "vitest";
import { EventSource } from "../../src/client/eventsource.ts";
import { readEventStream, subscribe } from "../../src/client/index.ts";
import { EventStreamParser } from "../../src/wire/parse.ts";
import { chunkings, type Expected, parsingVectors } from "../support/parsing-vectors.ts";
import { interpret } from "../support/reference-parser.ts";

const encoder = new TextEncoder();
const types = [...new Set(parsingVectors.flatMap(({ events }) => events.map(([type]) => type)))];

/** Clients as functions from chunks to events. */
const clients: Record<string, (chunks: readonly Uint8Array[]) => Promise<Expected[]>> = {
  async parser(chunks) {
    const events: Expected[] = [];
    const parser = new EventStreamParser({
      onEvent: ({ type, data, lastEventId }) => events.push([type, data, lastEventId]),
    });
    for (const chunk of chunks) parser.push(chunk);
    return events;
  },

  async "subscribe()"(chunks) {
    const events: Expected[] = [];
    const stream = subscribe("http://localhost/", { fetch: serve(chunks), retry: false });
    stream.on("*", ({ type, data, lastEventId }) => events.push([type, data, lastEventId]));
    await stream.closed;
    return events;
  },

  "the class": (chunks) =>
    new Promise((resolve) => {
      const events: Expected[] = [];
      const source = new EventSource("http://localhost/", { fetch: serve(chunks) });
      for (const type of types) {
        source.addEventListener(type, (event) => {
          const { data, lastEventId } = event as MessageEvent<string>;
          events.push([type, data, lastEventId]);
        });
      }
      // The end of the response: the class would reconnect.
      source.onerror = () => {
        source.close();
        resolve(events);
      };
    }),

  async "readEventStream()"(chunks) {
    const events: Expected[] = [];
    for await (const event of readEventStream(chunks)) events.push([event.type, event.data, event.lastEventId]);
    return events;
  },
};

test("there are 73 streams and 44 chunkings", () => {
  expect([parsingVectors.length, chunkings.length]).toEqual([73, 44]);
  expect(new Set([...parsingVectors, ...chunkings].map(({ name }) => name)).size).toBe(73 + 44);
  for (const { stream } of parsingVectors) {
    for (const { cut } of chunkings) expect(Buffer.concat(cut(bytesOf(stream)))).toEqual(Buffer.from(bytesOf(stream)));
  }
});

test.each(parsingVectors)("the expectation of $name is that of the standard's algorithm", ({ stream, events }) => {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytesOf(stream));
  const { reports } = interpret(text) as { reports: { event?: { type: string; data: string; lastEventId: string } }[] };
  const found = reports.flatMap(({ event }) => (event ? [[event.type, event.data, event.lastEventId]] : []));
  expect(found).toEqual(events);
});

describe.each(Object.entries(clients))("%s, in all chunkings", (_, receive) => {
  test.each(parsingVectors)("$name", async ({ stream, events }) => {
    for (const { name, cut } of chunkings) expect(await receive(cut(bytesOf(stream))), name).toEqual(events);
  });
});

function bytesOf(stream: string | Uint8Array): Uint8Array {
  return typeof stream === "string" ? encoder.encode(stream) : stream;
}

/** A `fetch` whose response arrives in these chunks. */
function serve(chunks: readonly Uint8Array[]): typeof fetch {
  return async () => {
    const rest = [...chunks];
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const chunk = rest.shift();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
}
