import { quote, SourcecastTypeError } from "../base/errors.ts";

/** The fields of one event, as the HTML standard names them. `data` is text by now: see {@link serialize}. */
export interface EventFields {
  /** @default "message" */
  type?: string | undefined;
  /** The payload. Without it the block sets `id` and `retry` but no client hears an event. */
  data?: string | undefined;
  /** What the client sends back as `Last-Event-ID`. Up to 128 of `A-Z a-z 0-9 - _ . ~`, or a number. Empty resets. */
  id?: string | number | undefined;
  /** Reconnection time for the client, in whole milliseconds. Zero is refused, see `allowZeroRetry`. */
  retry?: number | undefined;
  /** Lets `retry: 0` through, with which Chromium reconnects in a few milliseconds, for ever. @default false */
  allowZeroRetry?: boolean | undefined;
}

/**
 * The text of one event on the wire: whole, ending in the blank line that dispatches it. Pure, and the one home of the
 * rules for writing fields.
 *
 * @throws {SourcecastTypeError} when a field cannot be written so that every client reads back the same.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export function encodeEvent(event: EventFields): string {
  let text = "";
  if (event.type !== undefined) text += encodeType(event.type);
  if (event.id !== undefined) text += encodeId(event.id);
  if (event.retry !== undefined) text += encodeRetry(event.retry, event.allowZeroRetry === true);
  if (event.data !== undefined) text += encodeLines("data: ", event.data, "ERR_SSE_DATA");
  return `${text}\n`;
}

/**
 * Refuses what {@link encodeEvent} could not write, without writing it: for an event that is encoded later.
 *
 * @throws {SourcecastTypeError} as `encodeEvent` does.
 */
export function assertEvent(type: string, data = ""): void {
  assertType(type);
  assertText(data, "ERR_SSE_DATA");
}

/** Types that begin with `sse:` are those in which a stream speaks of itself: gaps, resets, checkpoints, its end. */
export function assertNotReserved(type: string): void {
  if (typeof type !== "string" || !type.startsWith("sse:")) return;
  throw new SourcecastTypeError(
    "ERR_SSE_TYPE",
    `The event type ${quote(type)} is reserved: types that begin with "sse:" declare losses; choose another prefix`,
  );
}

/** The text of a comment, which clients ignore; one line for each line of `comment`. */
export function encodeComment(comment: string): string {
  return `${encodeLines(": ", comment, "ERR_SSE_COMMENT")}\n`;
}

/**
 * What `data` is on the wire: a string as it is, `undefined` as empty data, anything else as JSON.
 *
 * @throws {SourcecastTypeError} for what JSON has no form for: a cycle, a `bigint`, a function, a symbol, a promise.
 */
export function serialize(data: unknown, replacer?: Replacer, space?: string | number): string {
  if (typeof data === "string") return data;
  if (data === undefined) return "";
  if (isThenable(data)) throw dataError("is a promise", "await it before it is dispatched");
  let text: string | undefined;
  try {
    text = JSON.stringify(data, replacer as never, space);
  } catch (cause) {
    throw dataError(
      `cannot be serialised: ${firstLine(cause)}`,
      "pass a string or a value that JSON can express",
      cause,
    );
  }
  if (text === undefined)
    throw dataError(`is ${quote(data)}, which JSON has no form for`, "pass a string or a JSON value");
  return text;
}

/** The second parameter of `JSON.stringify`. */
export type Replacer = ((this: unknown, key: string, value: unknown) => unknown) | (string | number)[] | null;

// A type of "message" is what clients assume without the field.
function encodeType(type: string): string {
  if (type === "message") return "";
  assertType(type);
  return `event: ${type}\n`;
}

// An empty one would become "message" on the other side.
function assertType(type: string): void {
  if (typeof type !== "string" || type === "") throw typeError(type, "is not a name", "pass a non-empty string");
  if (hasLineBreak(type))
    throw typeError(type, "contains a line break, which would begin another field", "remove CR and LF");
  if (!type.isWellFormed())
    throw typeError(type, "has a lone surrogate, which UTF-8 cannot carry", "pass well-formed text");
}

// Browsers are about to ask for a preflight for any other Last-Event-ID; NUL makes them ignore the field.
const idPattern = /^[A-Za-z0-9\-_.~]{0,128}$/;

function encodeId(id: string | number): string {
  const text = typeof id === "number" && Number.isFinite(id) ? String(id) : id;
  if (typeof text === "string" && idPattern.test(text)) return `id: ${text}\n`;
  throw new SourcecastTypeError(
    "ERR_SSE_ID",
    `The event id ${quote(id)} cannot be written; use a number, or at most 128 of the characters A-Z a-z 0-9 - _ . ~`,
  );
}

function encodeRetry(retry: number, allowZero: boolean): string {
  if (!Number.isSafeInteger(retry) || retry < 0) {
    throw new SourcecastTypeError(
      "ERR_SSE_RETRY",
      `The retry ${quote(retry)} is no reconnection time; use a whole number of milliseconds, zero or more`,
    );
  }
  if (retry === 0 && !allowZero) {
    throw new SourcecastTypeError(
      "ERR_SSE_RETRY",
      "A retry of 0 makes browsers reconnect without a pause; use 1 or more, or insist with allowZeroRetry: true",
    );
  }
  return `retry: ${retry}\n`;
}

/** One line of `prefix` for each line of `text`; CRLF, LF and a lone CR all end a line for a client, so all split here. */
function encodeLines(prefix: string, text: string, code: "ERR_SSE_DATA" | "ERR_SSE_COMMENT"): string {
  assertText(text, code);
  if (!hasLineBreak(text)) return `${prefix}${text}\n`;
  return `${prefix}${text.replace(/\r\n|\r|\n/g, `\n${prefix}`)}\n`;
}

function assertText(text: string, code: "ERR_SSE_DATA" | "ERR_SSE_COMMENT"): void {
  if (typeof text !== "string") {
    throw new SourcecastTypeError(code, `The text to write is ${quote(text)}; pass a string`);
  }
  if (!text.isWellFormed()) {
    throw new SourcecastTypeError(
      code,
      `The text ${quote(text)} has a lone surrogate, which UTF-8 cannot carry; pass well-formed text`,
    );
  }
}

// Two searches for one character each are vectorised by the engines; a regular expression here costs 4 times as much on 3 kB.
function hasLineBreak(text: string): boolean {
  return text.indexOf("\n") !== -1 || text.indexOf("\r") !== -1;
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

function firstLine(cause: unknown): string {
  return String((cause as { message?: unknown })?.message ?? cause).split("\n", 1)[0] ?? "";
}

function typeError(type: unknown, found: string, remedy: string): SourcecastTypeError {
  return new SourcecastTypeError("ERR_SSE_TYPE", `The event type ${quote(type)} ${found}; ${remedy}`);
}

function dataError(found: string, remedy: string, cause?: unknown): SourcecastTypeError {
  return new SourcecastTypeError("ERR_SSE_DATA", `The data of the event ${found}; ${remedy}`, { cause });
}
