import { now } from "../clock.ts";
import type { Frame } from "../frame.ts";
import { type HeaderOverrides, mergeHeaders } from "../headers.ts";
import type { Answer } from "../refusal.ts";
import { Sink, type SinkOwner } from "./sink.ts";

/**
 * Bytes out through the body of a web `Response`. The body has no queue of its own: what its reader has not asked for
 * stays pending here, where it can be counted, and leaves in one chunk when it is asked for.
 */
export class WebSink extends Sink {
  readonly #body: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #signal: AbortSignal | null;
  /** The reader has asked and nothing was there. */
  #asked = false;
  #ending = false;
  #answer: Answer | null = null;

  constructor(signal: AbortSignal | null | undefined) {
    super();
    this.#signal = signal ?? null;
    this.#body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#gone(),
      },
      { highWaterMark: 0 },
    );
  }

  get gone(): boolean {
    return this.#signal?.aborted === true;
  }

  start(owner: SinkOwner, opening: Frame): void {
    this.owner = owner;
    this.write(opening);
    this.#signal?.addEventListener("abort", this);
  }

  refuse(answer: Answer): void {
    this.#answer = answer;
    this.abort();
  }

  /** The response whose body this is, or the answer in its place. */
  response(
    headers: ReadonlyMap<string, string>,
    init: { headers?: HeaderOverrides; status?: number; statusText?: string },
  ): Response {
    const { status, body } = this.#answer ?? { status: init.status ?? 200, body: this.#body };
    const { statusText = "" } = init;
    const merged = this.#answer?.headers ?? mergeHeaders(headers, init.headers);
    return new Response(body as BodyInit | null, { status, statusText, headers: [...merged] });
  }

  /** The request's signal was aborted. */
  handleEvent(): void {
    this.#gone();
  }

  end(): Promise<void> {
    this.#ending = true;
    this.#release();
    if (this.#asked || this.pending === null) this.#finish();
    return Promise.resolve();
  }

  abort(): void {
    this.pending = null;
    this.#release();
    this.#finish();
  }

  protected get queued(): number {
    return 0;
  }

  protected get blocked(): boolean {
    return false;
  }

  protected send(frame: Frame): boolean {
    if (!this.#asked) return false;
    this.#asked = false;
    this.#controller.enqueue(frame.bytes);
    return true;
  }

  #pull(): void {
    this.#asked = true;
    if (this.#ending) this.#finish();
    else this.flush(now());
  }

  /** The last bytes and the end of the body. */
  #finish(): void {
    const { pending } = this;
    this.pending = null;
    try {
      if (pending !== null) this.#controller.enqueue(pending.bytes);
      this.#controller.close();
    } catch {
      // The reader cancelled the body: it is closed already.
    }
  }

  #gone(): void {
    this.pending = null;
    this.owner?.onGone();
  }

  #release(): void {
    this.owner = null;
    this.#signal?.removeEventListener("abort", this);
    this.#signal = null;
  }
}
