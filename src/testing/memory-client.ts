// A client without a network: it calls the handler of an application, and resumes as a browser does.
import { aDuration, allow, checkOptions, type OptionChecks } from "../base/options.ts";
import type { Duration } from "../base/units.ts";
import type { ParsedEvent } from "../wire/parse.ts";
import { EventReader, isControl } from "./event-reader.ts";

/** Answers a request: a handler of an application, or an object with one, such as a channel of a hub. */
export type Answerer =
  | ((request: Request) => Response | Promise<Response>)
  | { response(request: Request): Response | Promise<Response> };

/** The options of a {@link MemoryClient}. */
export interface MemoryClientOptions {
  /** The URL of its requests, as text. @default "http://localhost/events" */
  url?: string;
  /** Headers of its requests, in addition to `accept` and `last-event-id`. @default none */
  headers?: Record<string, string>;
  /** The position that it has from an earlier page or visit, as a cursor. @default none */
  lastEventId?: string;
  /** Time after which a wait for an event is rejected. @default "5s" */
  timeout?: Duration;
}

const aString = allow("a string", (value) => typeof value === "string");
const anAnswerer = allow(
  "a function that takes a Request, or an object with the method response()",
  (value) =>
    typeof (typeof value === "function" ? value : (value as { response?: unknown } | null)?.response) === "function",
);
const checks: OptionChecks<MemoryClientOptions> = {
  url: aString,
  headers: allow("an object", (value) => typeof value === "object" && value !== null),
  lastEventId: aString,
  timeout: aDuration,
};

/**
 * A client of an event stream in the same process, for tests of applications. It reads as events arrive, keeps the last id,
 * and sends it when it connects again.
 *
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { MemoryClient } from "sourcecast/testing";
 *
 * await using hub = createHub();
 * const news = hub.channel("news");
 * await using client = new MemoryClient((request) => news.response(request));
 * await client.connect();
 * await news.dispatch("headline", "Rain tomorrow");
 * console.log((await client.next()).data); // Rain tomorrow
 *
 * await client.disconnect();
 * await news.dispatch("headline", "Sun");
 * await client.connect();
 * console.log((await client.next()).data); // Sun
 * ```
 */
export class MemoryClient implements AsyncDisposable {
  /** All events that the application has published to this client, over all of its connections. */
  readonly events: ParsedEvent[] = [];
  /** The events that a hub has sent on its own, such as `sse:gap`. */
  readonly controls: ParsedEvent[] = [];
  readonly #answer: (request: Request) => Response | Promise<Response>;
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #timeout: Duration;
  #lastEventId: string;
  #response: Response | null = null;
  #reader: EventReader | null = null;
  #abort: AbortController = new AbortController();
  /** Events of the present connection that are in `events` or `controls`. */
  #sorted = 0;
  /** Events that `next` has returned, of those in `events`. It goes on over all connections. */
  #taken = 0;

  /**
   * @param answerer The handler, or an object with a method `response`.
   * @param options The request that it sends, and how long it waits.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for values that are not allowed.
   */
  constructor(answerer: Answerer, options: MemoryClientOptions = {}) {
    anAnswerer(answerer, "answerer");
    checkOptions(options, checks, "new MemoryClient()");
    this.#answer = typeof answerer === "function" ? answerer : (request) => answerer.response(request);
    this.#url = options.url ?? "http://localhost/events";
    this.#headers = options.headers ?? {};
    this.#timeout = options.timeout ?? "5s";
    this.#lastEventId = options.lastEventId ?? "";
  }

  /** The id that it sends when it connects again, `""` when it has none. */
  get lastEventId(): string {
    return this.#reader?.lastEventId ?? this.#lastEventId;
  }

  /** The status of the last response, 0 before the first. */
  get status(): number {
    return this.#response?.status ?? 0;
  }

  /** The headers of the last response. */
  get headers(): Headers {
    return this.#response?.headers ?? new Headers();
  }

  /** The reconnection time that the server has announced, in milliseconds. */
  get retry(): number | undefined {
    return this.#reader?.retry;
  }

  /** True when the server has ended the stream. */
  get ended(): boolean {
    return this.#reader?.ended ?? false;
  }

  /** Sends a request, with the last id if there is one. Closes the previous connection, if it is still open. */
  async connect(): Promise<this> {
    await this.disconnect();
    const lastEventId = this.#lastEventId;
    const headers = { accept: "text/event-stream", ...this.#headers };
    this.#abort = new AbortController();
    const request = new Request(this.#url, {
      headers: lastEventId === "" ? headers : { ...headers, "last-event-id": lastEventId },
      signal: this.#abort.signal,
    });
    this.#response = await this.#answer(request);
    this.#reader = new EventReader(this.#response.body, lastEventId, this.#timeout);
    this.#sorted = 0;
    return this;
  }

  /** Leaves, as a browser does whose page is closed. Events that have arrived stay in `events`. */
  async disconnect(): Promise<void> {
    if (this.#reader === null) return;
    // Both ends: the handler sees the signal of its request, and a body that ignores it is canceled.
    this.#abort.abort();
    await this.#reader.cancel();
    this.#sort();
    this.#lastEventId = this.#reader.lastEventId;
    this.#reader = null;
  }

  /**
   * The next published event that was not taken yet.
   *
   * @throws {Error} When the stream ends before it, or the deadline passes.
   */
  async next(): Promise<ParsedEvent> {
    await this.until(() => this.events.length > this.#taken);
    return this.events[this.#taken++] as ParsedEvent;
  }

  /**
   * Resolves when a condition holds, which is checked whenever something arrives.
   *
   * @throws {Error} When the stream ends before it holds, or the deadline passes.
   */
  async until(condition: () => boolean): Promise<void> {
    const check = () => {
      this.#sort();
      return condition();
    };
    const holds = this.#reader === null ? check() : await this.#reader.until(check);
    // Checks once more, because the last events may have arrived together with the end of the stream.
    if (!holds && !check()) throw new Error("The stream ended, or was not connected, before the condition held");
  }

  /** Resolves when the server has ended the stream. */
  async end(): Promise<void> {
    await this.#reader?.until(() => this.ended);
    this.#sort();
  }

  /** Leaves. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }

  /** Sorts only what has arrived since the last time, so that every event is in one of the lists once. */
  #sort(): void {
    const arrived = this.#reader?.events ?? [];
    for (const event of arrived.slice(this.#sorted)) (isControl(event) ? this.controls : this.events).push(event);
    this.#sorted = arrived.length;
  }
}
