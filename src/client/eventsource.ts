// sourcecast/eventsource: the standard's EventSource class over the engine of subscribe().
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { aBoolean, aFunction, allow, aString, checkOption, type OptionChecks, optionError } from "../base/options.ts";
import type { ParsedEvent } from "../wire/parse.ts";
import { Connection } from "./connection.ts";
import { runtime } from "./environment.ts";
import type { ReconnectState } from "./reconnect.ts";
import { type BodyLike, type HeadersLike, isEventId, methodOf, type PerAttempt, readHeaders } from "./request.ts";
import { judgeByStandard, judgeFailureByStandard, loseByStandard } from "./standard.ts";

/** The standard's options, and what users have asked the standard for. */
export interface EventSourceInit {
  /** Sends cookies to other origins. @default false */
  withCredentials?: boolean;
  /** Headers of every request, or an (async) function that is called for each. @default none */
  headers?: PerAttempt<HeadersLike>;
  /** A function to use instead of the runtime's `fetch`. @default globalThis.fetch */
  fetch?: typeof fetch;
  /** The position to begin after, as if an event with this id had been received. @default none */
  lastEventId?: string;
  /** The HTTP method. @default "GET", or "POST" with a body */
  method?: string;
  /** Sent with every request, including reconnects. @default none */
  body?: PerAttempt<BodyLike | null>;
}

const connecting = 0;
const open = 1;
const closed = 2;

/** The reconnection time until the server names one: that of Chromium and WebKit. */
const defaultRetryMs = 3_000;
/** Larger events end the stream, so that a server cannot fill the memory. Browsers have no such limit. */
const maxEventBytes = 64 * 1024 ** 2;

/**
 * The class that browsers have, with its policy: a status other than 200, or another content type, ends it for good, and
 * nothing is dropped or shared. It runs wherever there is `fetch`.
 *
 * A class in JavaScript cannot do everything that the browser's can: its events are not `isTrusted`, and it cannot
 * distinguish a CORS error from a network error, so it reconnects after both.
 *
 * @throws {DOMException} `SyntaxError` for an address that is not valid, as in the standard.
 * @throws {SourcecastTypeError} `ERR_SSE_ARGUMENT` without an address; `ERR_SSE_OPTION` for an option that is unknown or has a
 * value that is not allowed.
 * @example
 * ```ts fragment
 * import { EventSource } from "sourcecast/eventsource";
 *
 * const source = new EventSource("https://example.com/events", { headers: { authorization: "Bearer …" } });
 * source.addEventListener("price", (event) => console.log((event as MessageEvent).data));
 * ```
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface
 */
export class EventSource extends EventTarget {
  /** The state before the stream is open, and while it reconnects. */
  static readonly CONNECTING = 0;
  /** The state of an open stream. */
  static readonly OPEN = 1;
  /** The state of a stream that has ended for good. */
  static readonly CLOSED = 2;

  /** The address, absolute. */
  readonly url: string;
  /** Whether cookies are sent to other origins. */
  readonly withCredentials: boolean;
  readonly #connection: Connection;
  readonly #handlers: Record<HandledType, Handler> = { open: null, message: null, error: null };
  #readyState: 0 | 1 | 2 = connecting;
  #origin: string;

  /**
   * @param url The address, relative to the page in a browser.
   * @param init The standard's options, and more.
   */
  constructor(url: string | URL, init?: EventSourceInit | null) {
    super();
    // biome-ignore lint/complexity/noArguments: undefined is an address, which is relative to the page
    if (arguments.length === 0) {
      throw new SourcecastTypeError("ERR_SSE_ARGUMENT", "EventSource was given no address; pass that of the stream");
    }
    // A dictionary of Web IDL may be null.
    const options = init ?? {};
    checkInit(options);
    const { withCredentials = false, headers, fetch = globalThis.fetch, lastEventId = "", body } = options;
    this.url = resolveUrl(url);
    this.withCredentials = withCredentials === true;
    this.#origin = new URL(this.url).origin;
    this.#connection = new Connection(
      {
        url: this.url,
        method: methodOf(options.method, body),
        headers,
        body,
        credentials: this.withCredentials ? "include" : "same-origin",
        fetch: (...args) => fetch(...args),
        maxEventSize: maxEventBytes,
        defaultRetry: defaultRetryMs,
        // No watchdog either: a server that sends no keep-alives must not lose the clients that it has with the native class.
        connectTimeout: Number.POSITIVE_INFINITY,
        idleTimeout: Number.POSITIVE_INFINITY,
        judge: judgeByStandard,
        judgeFailure: judgeFailureByStandard,
        lose: loseByStandard,
      },
      runtime,
      {
        onState: (state) => this.#onState(state),
        onOpen: (response) => this.#onOpen(response),
        onEvent: (event) => this.#onEvent(event),
      },
      lastEventId,
    );
    // Listeners are added after the constructor has returned.
    queueMicrotask(() => {
      if (this.#readyState !== closed) this.#connection.start();
    });
  }

  /** The constant of the class. */
  get CONNECTING(): 0 {
    return 0;
  }

  /** The constant of the class. */
  get OPEN(): 1 {
    return 1;
  }

  /** The constant of the class. */
  get CLOSED(): 2 {
    return 2;
  }

  /** `CONNECTING` (0), `OPEN` (1) or `CLOSED` (2). */
  get readyState(): 0 | 1 | 2 {
    return this.#readyState;
  }

  /** A listener for `open`, or `null`. */
  get onopen(): Handler {
    return this.#handlers.open;
  }

  set onopen(handler: Handler) {
    this.#handle("open", handler);
  }

  /** A listener for events of the type `message`, or `null`. */
  get onmessage(): Handler {
    return this.#handlers.message;
  }

  set onmessage(handler: Handler) {
    this.#handle("message", handler);
  }

  /** A listener for `error`, or `null`: the stream was lost and reconnects, or has ended. */
  get onerror(): Handler {
    return this.#handlers.error;
  }

  set onerror(handler: Handler) {
    this.#handle("error", handler);
  }

  /** Ends the stream. No event fires after it, not even for bytes that have arrived. */
  close(): void {
    this.#readyState = closed;
    this.#connection.close("closed");
  }

  #onOpen({ url }: Response): void {
    // Of the address after redirects. A response that a program made has none.
    if (url !== "") this.#origin = new URL(url).origin;
  }

  /**
   * The standard's steps "announce", "reestablish" and "fail the connection": the ready state changes before the event fires.
   * The standard does not distinguish the wait from the attempt, so `connecting` is reported only if a stream that was open is
   * replaced at once.
   */
  #onState({ phase }: ReconnectState): void {
    const before = this.#readyState;
    if (before === closed || (phase === "connecting" && before === connecting)) return;
    if (phase === "open" && before === open) return;
    this.#readyState = phase === "open" ? open : phase === "closed" ? closed : connecting;
    this.dispatchEvent(new Event(phase === "open" ? "open" : "error"));
  }

  /** A server may name its type `open` or `error`. As in browsers, listeners of these receive a `MessageEvent` then. */
  #onEvent({ type, data, lastEventId }: ParsedEvent): void {
    if (this.#readyState !== open) return;
    this.dispatchEvent(new MessageEvent(type, { data, lastEventId, origin: this.#origin }));
  }

  /** An event handler attribute: one listener, whose place in the order is kept when it is replaced. */
  #handle(type: HandledType, handler: Handler): void {
    const before = this.#handlers[type];
    this.#handlers[type] = typeof handler === "function" ? handler : null;
    if (before === null && this.#handlers[type] !== null) this.addEventListener(type, this.#callHandler);
    if (before !== null && this.#handlers[type] === null) this.removeEventListener(type, this.#callHandler);
  }

  readonly #callHandler = (event: Event): void => {
    this.#handlers[event.type as HandledType]?.call(this, event);
  };
}

const initChecks: OptionChecks<EventSourceInit> = {
  withCredentials: aBoolean,
  headers: (value, name) => {
    if (typeof value !== "function") readHeaders(value as HeadersLike, name);
  },
  fetch: aFunction,
  lastEventId: allow("a string without line ends", isEventId),
  method: aString,
  body: allow("a body, or a function that gives it", (value) =>
    ["string", "object", "function"].includes(typeof value),
  ),
};

/** As `checkOptions()`, without the search for the name that was meant, which would be a tenth of the size of the class. */
function checkInit(init: EventSourceInit): void {
  const names = Object.keys(initChecks);
  if (typeof init !== "object") throw optionError("init", init, `an object with ${names.join(", ")}`);
  for (const name in init) {
    if (!names.includes(name)) {
      const remedy = `use one of ${names.join(", ")}`;
      throw new SourcecastTypeError("ERR_SSE_OPTION", `The option ${name} of EventSource is unknown; ${remedy}`);
    }
    checkOption(init[name as keyof EventSourceInit], initChecks[name as keyof EventSourceInit], name);
  }
}

type HandledType = "open" | "message" | "error";
/** @internal */
// biome-ignore lint/suspicious/noExplicitAny: an Event or a MessageEvent, by the name of the attribute
type Handler = ((this: EventSource, event: any) => unknown) | null;

function resolveUrl(url: string | URL): string {
  const { document, location } = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
  try {
    return new URL(String(url), document?.baseURI ?? location?.href).href;
  } catch {
    const remedy = "pass an absolute one, or a relative one in a document";
    throw new DOMException(`The address is ${quote(String(url))}; ${remedy}`, "SyntaxError");
  }
}
