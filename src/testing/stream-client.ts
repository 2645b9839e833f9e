// A client of event streams for suites: `fetch` and the parser, without reconnecting.
import { EventStreamParser, type ParsedEvent } from "../wire/parse.ts";

/** The request of a {@link StreamClient}. */
export interface StreamClientInit {
  /** @default "/" */
  path?: string;
  /** @default "GET" */
  method?: string;
  /** Sent as JSON. Some servers report the end of a request's body as if the client had disconnected. */
  body?: string;
  /** The position of an earlier connection, sent as a browser does when it reconnects. */
  lastEventId?: string;
  /** False for a client that never reads the body. @default true */
  reads?: boolean;
}

/** One connection to an event stream, and everything that it received. */
export class StreamClient {
  /** Resolves with the header of the response. */
  readonly opened: Promise<void>;
  /** All events, control events included: scenarios check that a hub sends those that it owes, and no others. */
  readonly events: ParsedEvent[] = [];
  /** The last reconnection time that the server has sent, in milliseconds. */
  retry: number | undefined;
  /** The position that a browser would send when it reconnects. */
  lastEventId = "";
  /** The response has ended. */
  ended = false;
  /** It ended in the middle: the connection was cut. */
  failed = false;
  readonly #leaving = new AbortController();
  readonly #signal: AbortSignal;
  #response: Response | undefined;
  /** How many of the events `next()` has returned. */
  #taken = 0;
  /** Several waits may be under way; each checks its own condition when something arrives. */
  #waiting: (() => void)[] = [];

  /** @param signal Ends every wait with its reason. */
  constructor(url: string, init: StreamClientInit, signal: AbortSignal) {
    this.#signal = signal;
    this.opened = this.#open(url, init);
  }

  /** 0 before the response. A scenario waits for `opened` first. */
  get status(): number {
    return this.#response?.status ?? 0;
  }

  /** Empty before the response. */
  get headers(): Headers {
    return this.#response?.headers ?? new Headers();
  }

  /** `""` for a header that the response does not have, so that a scenario compares without a case for it. */
  header(name: string): string {
    return this.headers.get(name) ?? "";
  }

  /** Resolves when the condition holds; it is checked whenever something arrives. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.ended) throw new Error(`The stream ended after ${JSON.stringify(this.events.slice(-3))}`);
      await this.#wait();
    }
  }

  /** The next event that was not taken yet. */
  async next(): Promise<ParsedEvent> {
    await this.until(() => this.events.length > this.#taken);
    return this.events[this.#taken++] as ParsedEvent;
  }

  /** The next event that the application published: a hub sends control events of its own. */
  async nextPublished(): Promise<ParsedEvent> {
    for (;;) {
      const event = await this.next();
      if (!event.type.startsWith("sse:")) return event;
    }
  }

  /** Resolves when the response has ended, whether properly or not: `failed` tells which. */
  async end(): Promise<void> {
    while (!this.ended) await this.#wait();
  }

  /** Aborts the request, which closes the connection in the middle of the stream, as a closed page does. */
  leave(): void {
    this.#leaving.abort();
  }

  async #open(url: string, { method = "GET", body, lastEventId, reads = true }: StreamClientInit): Promise<void> {
    this.#response = await fetch(url, {
      method,
      headers: {
        ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body }),
      // Without the test's signal, a server that hangs would keep its connection beyond the test.
      signal: AbortSignal.any([this.#leaving.signal, this.#signal]),
    });
    if (reads) void this.#read(this.#response.body);
  }

  /** Reads whether or not a scenario waits, since a body that is not read stalls its server. */
  async #read(body: ReadableStream<Uint8Array> | null): Promise<void> {
    const parser = new EventStreamParser({
      onEvent: (event) => {
        this.events.push(event);
        // The carried-over id, not that of this event: most events of a source have none.
        this.lastEventId = event.lastEventId;
      },
      onRetry: (time) => {
        this.retry = time;
      },
    });
    try {
      const reader = body?.getReader();
      for (;;) {
        const piece = await reader?.read();
        if (piece === undefined || piece.done) break;
        parser.push(piece.value);
        this.#wake();
      }
    } catch {
      // A body that is cut rejects, and one that ends does not: `fetch` tells a clean end by the last chunk.
      this.failed = true;
    }
    this.ended = true;
    this.#wake();
  }

  /** Resolves with the next piece or the end. The signal rejects it, so a wait never outlasts the test's deadline. */
  #wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#signal.aborted) reject(this.#signal.reason);
      this.#waiting.push(resolve);
      this.#signal.addEventListener("abort", () => reject(this.#signal.reason), { once: true });
    });
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
