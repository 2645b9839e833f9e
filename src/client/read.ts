// One response as events, without reconnecting: what a client of an LLM API needs.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { allow, aString, checkOptions, type OptionCheck } from "../base/options.ts";
import { EventStreamParser, type EventStreamParserOptions, type ParsedEvent } from "../wire/parse.ts";
import { StreamError } from "./errors.ts";
import { ReceivedEvent, type TextEvent } from "./events.ts";
import { firstCharacters } from "./response.ts";
import { slicesOf } from "./slices.ts";

/**
 * A body of an event stream: a `Response`, also that of a package such as `undici`, its `ReadableStream`, a Node `Readable`, or
 * any iterable of bytes or text.
 */
export type EventStreamBody =
  | Response
  | ReadableStream<Uint8Array | string>
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>;

/**
 * Reads one event stream to its end. The producer is asked for more only when the loop wants more, and is cancelled when
 * the loop is left. An unfinished event at the end is dropped, as the standard demands.
 *
 * @throws {StreamError} for a response that is not an event stream; in the loop, for one that is cut off.
 * @throws {SourcecastError} `ERR_SSE_LIMIT` for an event over `maxEventSize`.
 * @example
 * ```ts
 * import { readEventStream } from "sourcecast/client";
 *
 * const response = new Response("data: hello\n\n", { headers: { "content-type": "text/event-stream" } });
 * for await (const event of readEventStream(response)) console.log(event.data); // hello
 * ```
 */
export function readEventStream(
  body: EventStreamBody,
  options: Pick<EventStreamParserOptions, "maxEventSize"> = {},
): AsyncGenerator<TextEvent, void, undefined> {
  checkOptions(options, { maxEventSize: aSizeLimit }, "readEventStream()");
  assertBody(body);
  return readEvents(body, options);
}

async function* readEvents(
  body: EventStreamBody,
  options: Pick<EventStreamParserOptions, "maxEventSize">,
): AsyncGenerator<TextEvent, void, undefined> {
  let events: ParsedEvent[] = [];
  const parser = new EventStreamParser({ onEvent: (event) => events.push(event) }, options);
  for await (const chunk of chunksOf(body)) {
    for (const slice of slicesOf(chunk)) {
      parser.push(slice);
      const arrived = events;
      events = [];
      for (const event of arrived) yield new ReceivedEvent(event, event.data);
    }
  }
}

/**
 * Turns bytes, or text, into events: `response.body.pipeThrough(new EventStreamDecoder())`.
 *
 * @example
 * ```ts
 * import { EventStreamDecoder } from "sourcecast/client";
 *
 * const { body } = new Response("event: greeting\ndata: hello\n\n");
 * const reader = body?.pipeThrough(new EventStreamDecoder()).getReader();
 * console.log((await reader?.read())?.value?.type); // greeting
 * ```
 */
export class EventStreamDecoder extends TransformStream<Uint8Array | string, TextEvent> {
  readonly #parser: EventStreamParser;
  readonly #state: { reconnectionTime: number | undefined };

  /**
   * @param options The bound of an event, and the id before the stream.
   * @throws {SourcecastError} `ERR_SSE_OPTION` for a `maxEventSize` that is not a positive number.
   */
  constructor(options: EventStreamParserOptions = {}) {
    checkOptions(options, { lastEventId: aString, maxEventSize: aSizeLimit }, "EventStreamDecoder");
    const state: { reconnectionTime: number | undefined } = { reconnectionTime: undefined };
    let output: TransformStreamDefaultController<TextEvent> | undefined;
    const parser = new EventStreamParser(
      {
        onEvent: (event) => output?.enqueue(new ReceivedEvent(event, event.data)),
        onRetry: (time) => {
          state.reconnectionTime = time;
        },
      },
      options,
    );
    super({
      start(controller) {
        output = controller;
      },
      transform: (chunk) => parser.push(chunk),
    });
    this.#parser = parser;
    this.#state = state;
  }

  /** The id of the last event, as a reconnect would send it. */
  get lastEventId(): string {
    return this.#parser.lastEventId;
  }

  /** The reconnection time in milliseconds that the stream named last, if any. */
  get reconnectionTime(): number | undefined {
    return this.#state.reconnectionTime;
  }
}

const aSizeLimit: OptionCheck = allow("a number above zero", (value) => typeof value === "number" && value > 0);

function assertBody(body: EventStreamBody): void {
  if (typeof body === "object" && body !== null) {
    const isStream = "getReader" in body || Symbol.asyncIterator in body || Symbol.iterator in body;
    if (isStream || isResponse(body)) return;
  }
  throw new SourcecastTypeError(
    "ERR_SSE_ARGUMENT",
    `readEventStream() was given ${quote(body)}; pass a Response, a ReadableStream or a Readable`,
  );
}

async function* chunksOf(body: EventStreamBody): AsyncGenerator<Uint8Array | string, void, undefined> {
  const stream = isResponse(body) ? await bodyOf(body) : body;
  try {
    yield* "getReader" in stream ? readerChunks(stream.getReader()) : stream;
  } catch (cause) {
    const { message = cause } = (cause ?? {}) as { message?: unknown };
    throw new StreamError("network", `The stream was cut off: ${message}`, { cause });
  }
}

/** By structure: a package that brings its own `fetch` has another class. */
function isResponse(body: EventStreamBody): body is Response {
  return "headers" in body && "body" in body;
}

async function* readerChunks<T>(reader: ReadableStreamDefaultReader<T>): AsyncGenerator<T, void, undefined> {
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Without effect on a stream that has ended; cancels one whose loop was left.
    reader.cancel().catch(() => {});
  }
}

async function bodyOf(response: Response): Promise<ReadableStream<Uint8Array>> {
  const type = response.headers.get("content-type") ?? "";
  const isStream = response.ok && /^text\/event-stream(\s*;|\s*$)/i.test(type);
  if (isStream && response.body && !response.bodyUsed && !response.body.locked) return response.body;
  const body = await firstCharacters(response);
  throw new StreamError(
    response.ok ? "content-type" : "status",
    isStream
      ? "The response has no unread body; pass one that nothing else reads"
      : `The response is ${response.status} ${quote(type)} and not an event stream; it begins with ${quote(body)}`,
    { status: response.status, contentType: type, body },
  );
}
