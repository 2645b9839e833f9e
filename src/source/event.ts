// ServerSentEvent, and the one path from a dispatched value to a frame.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import type { AnyContract } from "../wire/contract.ts";
import { assertNotReserved, type EventFields, encodeEvent, type Replacer, serialize } from "../wire/encode.ts";
import { Frame } from "../wire/frame.ts";

/** What may accompany the data of an event. */
export interface EventOptions extends Pick<EventFields, "id" | "retry"> {
  /** As in `JSON.stringify`. */
  replacer?: Replacer;
  /** As in `JSON.stringify`. */
  space?: string | number;
}

/** Turns what `dispatch` was given into markup. Strings are taken for markup already and do not come here. */
// biome-ignore lint/suspicious/noExplicitAny: every library has an element type of its own
export type Render = (element: any) => string;

/** The options of {@link ServerSentEvent}. */
export interface ServerSentEventInit extends EventOptions {
  /** Lets a local listener keep the event from the wire by `preventDefault()`. @default false */
  cancelable?: boolean;
}

/**
 * One server-sent event. Its data is serialised, and all of it checked, when it is made; listeners of a source hear it
 * before it is written.
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
  /** The data as it is written. */
  readonly data: string;
  /** The id as it is written, or `undefined` where the event leaves the client's last id as it is. */
  readonly id: string | undefined;
  /** Reconnection time in milliseconds that comes with the event, if any. */
  readonly retry: number | undefined;
  readonly #text: string;

  constructor(type: string, data?: unknown, init: ServerSentEventInit = {}) {
    super(type, { cancelable: init.cancelable === true });
    this.data = serialize(data, init.replacer, init.space);
    this.#text = encodeEvent({ ...init, type, data: this.data });
    this.id = init.id === undefined ? undefined : String(init.id);
    this.retry = init.retry;
    made.set(this, { data, init });
  }

  /** The event as it is written, with the blank line that ends it. */
  override toString(): string {
    return this.#text;
  }
}

/** What an event was made from, and its frame once it has one. */
const made = new WeakMap<
  ServerSentEvent,
  { readonly data: unknown; readonly init: ServerSentEventInit; frame?: Frame }
>();

/** The frame of an event, encoded once; under a contract, of what its schema makes of the data. */
export function frameOf(event: ServerSentEvent, events?: AnyContract): Frame {
  const from = made.get(event) as NonNullable<ReturnType<(typeof made)["get"]>>;
  if (events !== undefined) return encodeFrame(event.type, from.data, from.init, undefined, events);
  from.frame ??= Frame.of(event.toString());
  return from.frame;
}

/**
 * The one way from what an application dispatches to bytes.
 *
 * @throws {SourcecastTypeError} before anything is written.
 */
export function encodeFrame(
  type: string,
  data: unknown,
  options?: EventOptions,
  render?: Render,
  events?: AnyContract,
): Frame {
  assertNotReserved(type);
  const value = events === undefined ? data : events.validateSync(type, data);
  const text =
    render === undefined || typeof value === "string" || value === undefined
      ? serialize(value, options?.replacer, options?.space)
      : renderText(render, value);
  return Frame.of(encodeEvent({ ...options, type, data: text }));
}

function renderText(render: Render, element: unknown): string {
  const text: unknown = render(element);
  if (typeof text === "string") return text;
  throw new SourcecastTypeError(
    "ERR_SSE_RENDER",
    `The render function returned ${quote(text)}; it must return a string of markup, and not a promise of one`,
  );
}
