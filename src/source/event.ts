// ServerSentEvent, and the one path from a dispatched value to a frame.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { aBoolean, allow, anything, checkOptions, type OptionChecks } from "../base/options.ts";
import { bytesOf } from "../wire/binary.ts";
import type { AnyContract } from "../wire/contract.ts";
import {
  assertEvent,
  assertNotReserved,
  type EventFields,
  encodeEvent,
  type Replacer,
  serialize,
} from "../wire/encode.ts";
import { Frame } from "../wire/frame.ts";
import { warnUnlessRoundTrip } from "../wire/round-trip.ts";

/** The fields that may accompany the data of an event. */
export interface EventOptions extends Pick<EventFields, "id" | "retry"> {}

/**
 * Turns the data of an event into markup: a string, or a `Response` or its body, or a promise of one of them. Events that are
 * dispatched while markup is being rendered wait for it. The function is not called for strings, which are markup already, and
 * for `undefined`.
 *
 * @param headers Headers that the function may set, as it does for a page. They are not sent.
 */
// biome-ignore lint/suspicious/noExplicitAny: every library has an element type of its own
export type Render = (element: any, headers: Headers) => string | object;

/** The options of {@link ServerSentEvent}. */
export interface ServerSentEventInit extends EventOptions {
  /** The second argument of `JSON.stringify`. @default none */
  replacer?: Replacer;
  /** The third argument of `JSON.stringify`: a string, or a number of spaces (characters). @default none */
  space?: string | number;
  /** Lets a local listener keep the event from the wire by `preventDefault()`. @default false */
  cancelable?: boolean;
}

/** The encoder checks the values of both, with codes of their own. */
const eventChecks: OptionChecks<EventOptions> = { id: anything, retry: anything };

const initChecks: OptionChecks<ServerSentEventInit> = {
  ...eventChecks,
  replacer: allow(
    "a function or a list",
    (value) => value === null || typeof value === "function" || Array.isArray(value),
  ),
  space: allow("a string or a number", (value) => typeof value === "string" || typeof value === "number"),
  cancelable: aBoolean,
  // The other two of the standard's EventInit.
  ...{ bubbles: aBoolean, composed: aBoolean },
};

/**
 * One server-sent event. Its data is serialized, and all of it checked, when it is created. The local listeners of a source
 * receive it before it is written.
 *
 * A source under a contract checks it again and writes the output of the schema: strings as JSON, unless the contract
 * declares the event as `text`.
 *
 * @throws {SourcecastTypeError} when it cannot be written so that every client reads back the same.
 * @example
 * ```ts
 * import { ServerSentEvent } from "sourcecast";
 *
 * const event = new ServerSentEvent("ping", { hello: "world" }, { id: "7" });
 * console.log(event.data); // {"hello":"world"}
 * ```
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class ServerSentEvent extends Event {
  /** The data as it is written by a source without a contract. */
  readonly data: string;
  /** The id as it is written, or `undefined` if the event leaves the client's last id as it is. */
  readonly id: string | undefined;
  /** Reconnection time in milliseconds that comes with the event, if any. */
  readonly retry: number | undefined;
  readonly #text: string;

  /**
   * @param type The event type.
   * @param data The data, which is serialized as JSON unless it is a string.
   * @param init The other fields, and options of the serialization.
   */
  constructor(type: string, data?: unknown, init: ServerSentEventInit = {}) {
    // The standard's Event would make a string of any type.
    assertEvent(type);
    checkOptions(init, initChecks, "ServerSentEvent");
    super(type, init);
    this.data = serialize(data, init.replacer, init.space);
    this.#text = encodeEvent({ type, id: init.id, retry: init.retry, data: this.data });
    this.id = init.id === undefined ? undefined : String(init.id);
    this.retry = init.retry;
    made.set(this, { data, init });
  }

  /** The event as it is written by a source without a contract, with the blank line that ends it. */
  override toString(): string {
    return this.#text;
  }
}

/** The arguments of an event, and its frame once it has one. */
const made = new WeakMap<
  ServerSentEvent,
  { readonly data: unknown; readonly init: ServerSentEventInit; frame?: Frame }
>();

/** The frame of an event, encoded once; under a contract, of the output of its schema. An event is not rendered. */
export function frameOf(event: ServerSentEvent, events?: AnyContract): Frame {
  const from = made.get(event) as NonNullable<ReturnType<(typeof made)["get"]>>;
  if (events !== undefined) {
    const value = events.validateSync(event.type, from.data);
    const { id, retry } = from.init;
    const options = { ...(id === undefined ? {} : { id }), ...(retry === undefined ? {} : { retry }) };
    // Nothing is rendered, so there is no promise to await.
    return encodeChecked(event.type, value, events, options, undefined, from.init) as Frame;
  }
  from.frame ??= Frame.of(event.toString());
  return from.frame;
}

/**
 * The only path from dispatched data to bytes.
 *
 * A source that renders sends text: a contract checks the data, and `render` makes the text of it. Under a contract without
 * a render function, data is JSON.
 *
 * @throws {SourcecastTypeError} before anything is written.
 */
export function encodeFrame(
  type: string,
  data: unknown,
  options?: EventOptions,
  render?: Render,
  events?: AnyContract,
): Frame | Promise<Frame> {
  assertNotReserved(type);
  if (events !== undefined) return encodeChecked(type, events.validateSync(type, data), events, options, render);
  return frameOfText(type, toText(data, render), options);
}

/**
 * {@link encodeFrame} for data that the contract has checked.
 *
 * @param value The output of its schema.
 * @param json How the value becomes JSON.
 */
export function encodeChecked(
  type: string,
  value: unknown,
  events: AnyContract,
  options?: EventOptions,
  render?: Render,
  json?: Pick<ServerSentEventInit, "replacer" | "space">,
): Frame | Promise<Frame> {
  if (render !== undefined) return frameOfText(type, toText(value, render), options);
  const data = events.encode(type, value, json?.replacer, json?.space);
  warnUnlessRoundTrip(events, type, value);
  return frameOfText(type, data, options);
}

function frameOfText(type: string, data: string | Promise<string>, options?: EventOptions): Frame | Promise<Frame> {
  if (options !== undefined) checkOptions(options, eventChecks, "dispatch()");
  const frameOf = (text: string): Frame =>
    Frame.of(encodeEvent({ type, id: options?.id, retry: options?.retry, data: text }));
  if (typeof data === "string") return frameOf(data);
  // The other fields are checked now, while the caller can still be told.
  frameOf("");
  return data.then(frameOf);
}

function toText(value: unknown, render?: Render): string | Promise<string> {
  if (render === undefined || typeof value === "string" || value === undefined) return serialize(value);
  return markupOf(render(value, new Headers()));
}

/** The text of what a render function returned. */
function markupOf(rendered: unknown): string | Promise<string> {
  if (typeof rendered === "string") return rendered;
  const bytes = bytesOf(rendered);
  if (bytes !== null) return new TextDecoder().decode(bytes);
  const { then, text } = (rendered ?? {}) as { then?: unknown; text?: unknown };
  if (typeof then === "function") return Promise.resolve(rendered).then(markupOf);
  // A Response, or a Blob.
  if (typeof text === "function") return (rendered as Response).text();
  throw new SourcecastTypeError(
    "ERR_SSE_RENDER",
    `The render function returned ${quote(rendered)}; it must return markup: a string, or a Response, or a promise of one`,
  );
}
