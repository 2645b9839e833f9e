// Reads the events of one response, and waits for them no longer than a deadline.
import { now, WakeTimer } from "../base/clock.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import { EventStreamParser, type ParsedEvent } from "../wire/parse.ts";

/** The events of one body, in the order in which they arrive. */
export class EventReader {
  /** Only grows. Its users keep an index into it, so an event that arrives while none waits is not lost. */
  readonly events: ParsedEvent[] = [];
  /** The id that a client sends when it reconnects. */
  lastEventId: string;
  /** The reconnection time that the stream has announced, in milliseconds. */
  retry: number | undefined;
  /** The body has ended or failed. Events that arrived before that are still to be read. */
  ended = false;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  readonly #timeoutMs: number;
  /** Why the body could not be read to its end. */
  #failure: unknown = null;
  #waiting: (() => void)[] = [];

  constructor(body: ReadableStream<Uint8Array> | null, lastEventId: string, timeout: Duration) {
    this.lastEventId = lastEventId;
    this.#timeoutMs = milliseconds(timeout, "timeout");
    this.#reader = body?.getReader() ?? null;
    void this.#read();
  }

  /** Resolves when the condition holds or the stream has ended, and says whether it holds. */
  async until(condition: () => boolean): Promise<boolean> {
    // One deadline for the whole wait: events that do not satisfy the condition must not extend it.
    const deadline = Promise.withResolvers<never>();
    // Keeps the process alive: a test that waits for nothing else must fail, not end early.
    const timer = new WakeTimer(() => deadline.reject(this.#late()), true);
    timer.set(now() + this.#timeoutMs);
    try {
      while (!condition()) {
        // The condition comes first: events that arrived before a failure still count.
        if (this.#failure !== null) throw this.#failure;
        if (this.ended) return false;
        await Promise.race([this.#arrival(), deadline.promise]);
      }
      return true;
    } finally {
      timer.stop();
    }
  }

  /** The client leaves. If the body has failed, `cancel()` rejects, which does not matter to a client that leaves. */
  async cancel(): Promise<void> {
    await this.#reader?.cancel().catch(() => {});
  }

  /** Reads whether or not a test waits, since a body that is not read stalls its server. */
  async #read(): Promise<void> {
    const parser = new EventStreamParser(
      {
        onEvent: (event) => this.events.push(event),
        onRetry: (time) => {
          this.retry = time;
        },
      },
      { lastEventId: this.lastEventId },
    );
    try {
      for (;;) {
        const { done, value } = (await this.#reader?.read()) ?? { done: true };
        if (done || value === undefined) break;
        parser.push(value);
        // From the parser, not from the events: a block with an id and no data changes it without an event.
        this.lastEventId = parser.lastEventId;
        this.#wake();
      }
    } catch (error) {
      // Thrown by the next wait: a rejection that no test awaits would fail another one.
      this.#failure = error;
    }
    this.ended = true;
    this.#wake();
  }

  /** Resolves with the next piece, or with the end. Several waits may be under way, and each wakes for itself. */
  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /**
   * Names the events that have arrived, shortened: in a failed test, that is usually enough to see which one is
   * missing.
   */
  #late(): Error {
    const received = JSON.stringify(this.events.map(({ type, data }) => [type, data.slice(0, 40)]));
    return new Error(
      `Neither the expected event nor the end of the stream arrived within ${this.#timeoutMs} ms; ` +
        `these events did: ${received.length <= 400 ? received : `${received.slice(0, 400)} …`}`,
    );
  }
}

/** True for the control events of a hub, such as `sse:checkpoint`. */
export function isControl({ type }: ParsedEvent): boolean {
  return type.startsWith("sse:");
}
