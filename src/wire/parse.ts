/**
 * The parser of event streams: it turns text or bytes, in any pieces, into events. A client feeds it what arrives and
 * acts on its callbacks. It allocates one object for each event and keeps nothing but the unfinished event.
 *
 * It follows the HTML standard to the letter, with one exception that browsers make too: the last event id survives a
 * reconnect, where the standard begins each stream without one.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */

import { SourcecastError } from "../base/errors.ts";

/** One event, as a client dispatches it. */
export interface ParsedEvent {
  /** `"message"` where the stream names no type. */
  readonly type: string;
  /** The lines of data, joined by LF. */
  readonly data: string;
  /** The event's own `id` field, or `undefined` if the event has none. */
  readonly id: string | undefined;
  /** The id that a client sends when it reconnects after this event: its own, or else that of an event before it. */
  readonly lastEventId: string;
  /** The field `channel` of a labeled stream. */
  readonly channel: string | undefined;
}

/**
 * The callbacks of the parser, called in the order of the stream. A callback may call {@link EventStreamParser.reset}: the rest of
 * the chunk is dropped. A callback must not throw, or the rest of the chunk is lost.
 */
export interface EventStreamHandlers {
  /** An event that its blank line has completed. */
  onEvent(event: ParsedEvent): void;
  /** A comment, without its colon and the space after it. */
  onComment?: ((text: string) => void) | undefined;
  /**
   * A new reconnection time. It takes effect when its line ends, whether or not an event follows.
   *
   * @param time Whole milliseconds, as large as the server says: possibly larger than a timer accepts, and `Infinity`
   * for 400 digits.
   */
  onRetry?: ((time: number) => void) | undefined;
  /** A field that the standard does not know, which its clients ignore. `channel` is among them. */
  onField?: ((name: string, value: string) => void) | undefined;
}

/** The options of {@link EventStreamParser}. */
export interface EventStreamParserOptions {
  /** The id that the client had before this stream. @default "" */
  lastEventId?: string | undefined;
  /**
   * The largest size of an event's data together with the line being read, in UTF-16 units. An event of that many bytes
   * always fits. A larger one makes {@link EventStreamParser.push} throw.
   *
   * @default 16_777_216, which is 16 MB
   */
  maxEventSize?: number | undefined;
}

const defaultMaxEventSize = 16 * 1024 ** 2;

const lf = 10;
const space = 32;
const colon = 58;
const byteOrderMark = 0xfeff;
/** Stands for the position of a line end that the chunk does not have: -1 as an unsigned number, which is after every position. */
const none = 0xffffffff;

/**
 * An incremental parser of one event stream after another. The result is the same however the stream is cut into chunks.
 *
 * A chunk is parsed to its end in one call. A client that wants to pause within a large chunk pushes slices of it.
 *
 * @example
 * ```ts
 * import { EventStreamParser } from "sourcecast/wire";
 *
 * const parser = new EventStreamParser({ onEvent: ({ type, data }) => console.log(type, data) });
 * parser.push("event: greeting\nda");
 * parser.push("ta: hello\n\n"); // greeting hello
 * ```
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class EventStreamParser {
  /** The id to send as `Last-Event-ID`. An event without data sets it too, an unfinished event does not. */
  lastEventId: string;

  readonly #handlers: EventStreamHandlers;
  readonly #maxEventSize: number;
  /** The limit in force: -1 after an event over it, until the next {@link reset}. */
  #limit: number;
  #decoder: TextDecoder | undefined;
  /** Counts the streams, so that {@link push} notices a callback that calls {@link reset}. */
  #stream = 0;
  /** Dropped if the next chunk begins with it: the BOM before a stream, or the LF after a CR, which ends the same line. */
  #skipped = byteOrderMark;
  /** The line whose end has not arrived. Adding to it takes constant time: engines join its pieces when it is read. */
  #line = "";

  #type = "";
  #data: string | undefined;
  #id: string | undefined;
  #channel: string | undefined;

  /**
   * @param handlers The callbacks.
   * @param options The last id and the limit, if they are not the defaults.
   * @throws {SourcecastError} `ERR_SSE_OPTION` for handlers without `onEvent`, and for a `maxEventSize` that is not a positive number.
   */
  constructor(handlers: EventStreamHandlers, options: EventStreamParserOptions = {}) {
    this.#handlers = handlers;
    this.lastEventId = options?.lastEventId ?? "";
    this.#maxEventSize = options?.maxEventSize ?? defaultMaxEventSize;
    this.#limit = this.#maxEventSize;
    const isCalled = typeof handlers?.onEvent === "function";
    if (isCalled && this.#limit > 0) return;
    throw new SourcecastError(
      "ERR_SSE_OPTION",
      `The option ${isCalled ? `maxEventSize is ${this.#limit}; it takes a number above zero` : "onEvent takes a function"}`,
    );
  }

  /** True between events: nothing is lost if the stream ends here. */
  get complete(): boolean {
    return this.#line + this.#type === "" && this.#data === undefined && this.#id === undefined;
  }

  /**
   * Takes the next piece of the stream and reports what it completes. Bytes are decoded as UTF-8, across the borders of
   * chunks. A stream is given either as bytes or as text.
   *
   * @throws {SourcecastError} `ERR_SSE_LIMIT` for an event over `maxEventSize`, and from then on until {@link reset}.
   * Events before it have been reported.
   */
  push(chunk: string | Uint8Array): void {
    // The standard strips one leading BOM, which the parser does, and Deno's decoder would strip later ones too.
    this.#decoder ??= new TextDecoder("utf-8", { ignoreBOM: true });
    const text = typeof chunk === "string" ? chunk : this.#decoder.decode(chunk, { stream: true });
    if (text !== "") this.#parse(text);
  }

  /** Begins a new stream: drops the unfinished event of the last one and keeps {@link lastEventId}. */
  reset(): void {
    this.#stream++;
    this.#limit = this.#maxEventSize;
    this.#decoder = undefined;
    this.#skipped = byteOrderMark;
    this.#line = "";
    this.#clearEvent();
  }

  #parse(text: string): void {
    const stream = this.#stream;
    let start = text.charCodeAt(0) === this.#skipped ? 1 : 0;
    this.#skipped = -1;
    let line = this.#line;
    // Where all that has arrived is within the limit, each event is, and no line has to be measured.
    const isMeasured = line.length + text.length + (this.#data?.length ?? 0) > this.#limit;
    let nextLf = find(text, "\n", start);
    let nextCr = find(text, "\r", start);
    for (;;) {
      let end = nextLf < nextCr ? nextLf : nextCr;
      if (end === none) break;
      if (isMeasured) this.#checkSize(line.length + end - start);
      if (line !== "") {
        // Adding the line to the chunk would copy the chunk.
        line += text.slice(start, end);
        this.#line = "";
        this.#takeLine(line, 0, line.length);
        line = "";
      } else if (start === end) this.#dispatch(this.#data);
      else if (isData(text, start)) {
        const value = valueAt(text, start + 4, end);
        // Most events have one line of data, and end after it.
        if (end === nextLf && this.#data === undefined && text.charCodeAt(end + 1) === lf) {
          end++;
          this.#dispatch(value);
        } else this.#takeField("data", value);
      } else this.#takeLine(text, start, end);
      if (this.#stream !== stream) return;
      start = end + 1;
      if (end === nextCr) {
        if (start === text.length) this.#skipped = lf;
        else if (start === nextLf) start++;
        nextCr = find(text, "\r", start);
      }
      if (nextLf < start) nextLf = find(text, "\n", start);
    }
    this.#line += text.slice(start);
    this.#checkSize(this.#line.length);
  }

  #takeLine(text: string, start: number, end: number): void {
    if (text.startsWith("event:", start)) this.#type = valueAt(text, start + 5, end);
    else if (text.startsWith("id:", start)) {
      const id = valueAt(text, start + 2, end);
      if (!id.includes("\0")) this.#id = id;
    } else {
      const line = text.slice(start, end);
      const nameEnd = line.indexOf(":");
      if (nameEnd >= 0) this.#takeField(line.slice(0, nameEnd), valueAt(line, nameEnd, line.length));
      // A line without a colon is a name with an empty value.
      else this.#takeLine(`${line}:`, 0, line.length + 1);
    }
  }

  #takeField(name: string, value: string): void {
    if (name === "") this.#handlers.onComment?.(value);
    else if (name === "data") this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    else if (name === "retry") {
      if (/^[0-9]+$/.test(value)) this.#handlers.onRetry?.(Number(value));
    } else {
      if (name === "channel") this.#channel = value;
      this.#handlers.onField?.(name, value);
    }
  }

  #dispatch(data: string | undefined): void {
    const id = this.#id;
    const type = this.#type;
    const channel = this.#channel;
    this.#clearEvent();
    if (id !== undefined) this.lastEventId = id;
    if (data === undefined) return;
    this.#handlers.onEvent({ type: type || "message", data, id, lastEventId: this.lastEventId, channel });
  }

  #clearEvent(): void {
    this.#type = "";
    this.#data = undefined;
    this.#id = undefined;
    this.#channel = undefined;
  }

  #checkSize(lineLength: number): void {
    if (lineLength + (this.#data?.length ?? 0) <= this.#limit) return;
    this.#limit = -1;
    this.#line = "";
    this.#clearEvent();
    throw new SourcecastError(
      "ERR_SSE_LIMIT",
      `An event of the stream is larger than ${this.#maxEventSize} bytes; raise maxEventSize`,
    );
  }
}

/** Where the line end is, or {@link none}. */
function find(text: string, lineEnd: "\n" | "\r", from: number): number {
  return text.indexOf(lineEnd, from) >>> 0;
}

/** Whether a line begins with `data:`. Five comparisons cost a third of `startsWith`. */
function isData(text: string, start: number): boolean {
  return (
    text.charCodeAt(start) === 100 &&
    text.charCodeAt(start + 1) === 97 &&
    text.charCodeAt(start + 2) === 116 &&
    text.charCodeAt(start + 3) === 97 &&
    text.charCodeAt(start + 4) === colon
  );
}

/** The value of a field whose name ends at `at`; empty where the line ends there too. */
function valueAt(text: string, at: number, end: number): string {
  return text.slice(text.charCodeAt(at + 1) === space ? at + 2 : at + 1, end);
}
