// Events and comments to text: the one place where the fields of an event stream are written.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { anything, checkOptions, type OptionChecks } from "../base/options.ts";
import { binaryType } from "./binary.ts";
import { emptiedRemedy } from "./emptied.ts";

/** The fields of one event, as the HTML standard names them. `data` is text by now: see {@link serialize}. */
export interface EventFields {
  /** The event type. @default "message" */
  type?: string | undefined;
  /** The payload. It is always written, since clients dispatch no event without it. @default "" */
  data?: string | undefined;
  /** The id that the client sends back as `Last-Event-ID`: up to 128 of `A-Z a-z 0-9 - _ . ~`, or a number. `""` resets it. */
  id?: string | number | undefined;
  /** Reconnection time for the client, in whole milliseconds from 1 on: see {@link encodeRetry}. */
  retry?: number | undefined;
  /** The channel that the event belongs to, on a labeled stream. Every client that follows the standard ignores it. */
  channel?: string | undefined;
}

/**
 * The text of one event on the wire: whole, ending in the blank line that dispatches it. Pure.
 *
 * @throws {SourcecastTypeError} when a field cannot be written so that every client reads back the same, `ERR_SSE_OPTION` for a
 * field that is unknown, such as `event`.
 * @example
 * ```ts
 * import { encodeEvent } from "sourcecast/wire";
 *
 * console.log(encodeEvent({ type: "note", id: 7, data: "two\nlines" }).split("\n"));
 * // [ 'event: note', 'id: 7', 'data: two', 'data: lines', '', '' ]
 * ```
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export function encodeEvent(event: EventFields): string {
  assertFields(event);
  let text = "";
  if (event.type !== undefined) text += encodeType(event.type);
  if (event.id !== undefined) text += encodeId(event.id);
  if (event.retry !== undefined) text += encodeRetry(event.retry);
  if (event.channel !== undefined) text += encodeChannel(event.channel);
  return `${text}${encodeLines("data: ", event.data === undefined ? "" : event.data, "ERR_SSE_DATA")}\n`;
}

/**
 * The text of a comment, which clients ignore: one line for each line of `comment`. No blank line follows, because some
 * clients report a block without data as an event.
 *
 * @throws {SourcecastTypeError} for a comment that is not well-formed text.
 */
export function encodeComment(comment: string): string {
  return encodeLines(": ", comment, "ERR_SSE_COMMENT");
}

/**
 * The line that sets the client's reconnection time. Like a comment it needs no blank line: it takes effect at once.
 *
 * @param retry Whole milliseconds from 1 on. Zero would make Chromium reconnect in 6 ms, forever.
 * @throws {SourcecastTypeError} for any other value.
 */
export function encodeRetry(retry: number): string {
  if (Number.isSafeInteger(retry) && retry > 0) return `retry: ${retry}\n`;
  throw new SourcecastTypeError(
    "ERR_SSE_RETRY",
    `The retry ${quote(retry)} is not a reconnection time; use a whole number of milliseconds, one or more`,
  );
}

/**
 * Rejects an event that {@link encodeEvent} could not write, without writing it: for an event that is encoded later.
 *
 * @throws {SourcecastTypeError} as `encodeEvent` does.
 */
export function assertEvent(type: string, data = ""): void {
  assertType(type);
  assertText(data, "ERR_SSE_DATA");
}

/**
 * A stream reports its own state in types that begin with `sse:`: losses, its position, its end.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_TYPE` for such a type, and for anything but a string.
 */
export function assertNotReserved(type: string): void {
  if (typeof type !== "string") assertType(type);
  else if (!type.startsWith("sse:")) return;
  throw new SourcecastTypeError(
    "ERR_SSE_TYPE",
    `The event type ${quote(type)} is reserved: types that begin with "sse:" declare losses; choose another prefix`,
  );
}

/**
 * The text of `data` on the wire: a string as it is, `undefined` as empty data, anything else as JSON.
 *
 * @throws {SourcecastTypeError} for data that JSON has no form for: a cycle, a `bigint`, a function, a symbol, and a promise, a
 * `Map`, a `Set`, an error and bytes, which JSON would write as `{}` or as an object of numbers. A string of base64 carries
 * bytes; `pipe` decodes text.
 */
export function serialize(data: unknown, replacer?: Replacer, space?: string | number): string {
  if (typeof data === "string") return data;
  if (data === undefined) return "";
  return serializeJson(data, replacer, space);
}

/** {@link serialize} without an exception for strings. `undefined` has no JSON. */
export function serializeJson(data: unknown, replacer?: Replacer, space?: string | number): string {
  if (isThenable(data)) throw dataError("is a promise", "await it before it is dispatched");
  if (isElement(Array.isArray(data) ? data[0] : data)) {
    throw dataError("is an element of JSX", "pass a render function to the source, or dispatch the markup as a string");
  }
  // A replacer may have a form for bytes, and for a Map.
  const rejectsEmptied = replacer === undefined || replacer === null;
  if (rejectsEmptied) assertExpressible(data);
  let text: string | undefined;
  try {
    text = JSON.stringify(data, replacer as never, space);
    // Such values inside of an object leave a trace. Looking for it takes 30 ns on a small object, a replacer some hundreds.
    if (rejectsEmptied && /\{(?:\}|\s*"0":)/.test(text)) JSON.stringify(data, (_, value) => assertExpressible(value));
  } catch (cause) {
    if (cause instanceof SourcecastTypeError) throw cause;
    throw dataError(
      `cannot be serialized: ${firstLine(cause)}`,
      "pass a string or a value that JSON can express",
      cause,
    );
  }
  if (text === undefined)
    throw dataError(`is ${quote(data)}, which JSON has no form for`, "pass a string or a JSON value");
  return text;
}

function assertExpressible(value: unknown): unknown {
  const remedy = emptiedRemedy(value);
  if (remedy !== null) throw dataError(`is or has ${quote(value)}, which JSON would write without its content`, remedy);
  const type = binaryType(value);
  if (type === null) return value;
  throw dataError(
    `is or has binary data or a body (${type}), which JSON cannot express`,
    'pass a string: new TextDecoder().decode(bytes) for text, bytes.toBase64() or buffer.toString("base64") for other bytes',
  );
}

/** The second parameter of `JSON.stringify`. */
export type Replacer = ((this: unknown, key: string, value: unknown) => unknown) | (string | number)[] | null;

// A type of "message" is the one that clients assume without the field.
function encodeType(type: string): string {
  if (type === "message") return "";
  assertType(type);
  return `event: ${type}\n`;
}

// Clients would take an empty type for "message".
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

function encodeChannel(channel: string): string {
  if (typeof channel === "string" && channel.isWellFormed() && /^[^\r\n\0]+$/.test(channel))
    return `channel: ${channel}\n`;
  throw new SourcecastTypeError(
    "ERR_SSE_CHANNEL",
    `The channel ${quote(channel)} cannot be written; use non-empty, well-formed text without CR, LF and NUL`,
  );
}

const fields: OptionChecks<EventFields> = {
  type: anything,
  data: anything,
  id: anything,
  retry: anything,
  channel: anything,
};

/** Called for every event: the table is read only to name the field that was meant. */
function assertFields(event: EventFields): void {
  if (typeof event !== "object" || event === null) checkOptions(event ?? null, fields, "encodeEvent()");
  for (const name in event) if (!(name in fields)) checkOptions(event, fields, "encodeEvent()");
}

/** One line of `prefix` for each line of `text`. Clients end a line at CRLF, LF and a lone CR, so text is split at all three. */
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

// Engines vectorise the search for one character; a regular expression here costs 4 times as much on 3 kB.
function hasLineBreak(text: string): boolean {
  return text.indexOf("\n") !== -1 || text.indexOf("\r") !== -1;
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** An element of React, Preact, Vue or Hono. JSON would show the internals of the library. */
function isElement(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const element = value as { __v_isVNode?: unknown; isEscaped?: unknown; constructor?: unknown };
  if ("$$typeof" in value || element.__v_isVNode === true) return true;
  if ("tag" in value && element.isEscaped === true) return true;
  return "props" in value && Object.hasOwn(value, "constructor") && element.constructor === undefined;
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
