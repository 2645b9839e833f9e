// The sink for a web `Response`: frames leave through its body.
import { SourcecastTypeError } from "../base/errors.ts";
import type { EarlyResponse } from "../http/early-response.ts";
import {
  eventStreamHeaders,
  type HeaderFields,
  type HeaderOverrides,
  headerLines,
  mergeHeaders,
} from "../http/headers.ts";
import type { Frame } from "../wire/frame.ts";
import { type HeaderSource, highWaterMark, Sink, type SinkOwner } from "./sink.ts";
import { UnreadBodyCheck } from "./web-unread.ts";

/** The grain in which a slow reader of a large event is seen to make progress. */
const maxSliceBytes = 64 * 1024;

/**
 * Sends bytes through the body of a web `Response`. When a client disconnects, runtimes abort the request's signal, cancel
 * the body, or both. The sink tells its owner at whichever comes first.
 */
export class WebSink extends Sink {
  readonly #body: ReadableStream<Uint8Array>;
  readonly #bodySource = new BodySource(this);
  #signal: AbortSignal | null;
  #blocked = false;
  /** Bytes that went into the body since it was last asked for its room, and those that it had then. */
  #unchecked = 0;
  #wasRead = false;
  #unreadCheck: UnreadBodyCheck | null = null;
  readonly #preset: HeaderOverrides | undefined;
  #headers: HeaderFields | null = null;
  /** Makes the header, as long as that has not been done. */
  #headerSource: HeaderSource | null = null;
  #earlyResponse: EarlyResponse | null = null;
  #responded = false;

  /** @param preset Headers that a framework has collected for its response, under those of the options. */
  constructor(signal: AbortSignal | null | undefined, preset?: HeaderOverrides) {
    super();
    this.#signal = signal ?? null;
    this.#preset = preset;
    this.#body = new ReadableStream(this.#bodySource, queuingStrategy);
  }

  get gone(): boolean {
    return this.#signal?.aborted === true;
  }

  onceGone(callback: () => void): () => void {
    const signal = this.#signal;
    signal?.addEventListener("abort", callback, { once: true });
    return () => signal?.removeEventListener("abort", callback);
  }

  override get canBeCoded(): boolean {
    return this.#headerSource !== null;
  }

  start(owner: SinkOwner, opening: Frame, headers: HeaderSource, isHeaderLate = false): void {
    // The response may be made later, or never: the opening waits in the body, and the check looks for a reader.
    this.#headerSource = headers;
    if (!isHeaderLate) this.makeHeader();
    this.owner = owner;
    this.write(opening);
    this.#signal?.addEventListener("abort", this);
    this.#unreadCheck = new UnreadBodyCheck(this, owner);
  }

  /** A reader has taken a byte of the body, or has locked it. */
  get isRead(): boolean {
    this.#wasRead ||= this.#body.locked || this.queued < this.#unchecked;
    return this.#wasRead;
  }

  refuse(answer: EarlyResponse): void {
    // The answer has a body of its own, so the one of the stream ends unread.
    this.#earlyResponse = answer;
    this.abort();
  }

  /**
   * The response whose body this is, or the early response in its place.
   *
   * @throws {SourcecastTypeError} when called twice.
   */
  response(init: { headers?: HeaderOverrides; status?: number; statusText?: string } = {}): Response {
    if (this.#responded) {
      throw new SourcecastTypeError(
        "ERR_SSE_RESPONSE_USED",
        "The method response() was called twice; make one EventSource for each request",
      );
    }
    this.#responded = true;
    const { status = 200, statusText = "" } = init;
    const early = this.#earlyResponse;
    const headers = early?.headers ?? this.#mergedHeaders(init.headers);
    const response = new Response((early === null ? this.#body : early.body) as BodyInit | null, {
      status: early?.status ?? status,
      statusText,
      // As pairs: in an object, several cookies would become one line.
      headers: [...headerLines(headers)],
    });
    return Object.defineProperty(response, "toJSON", { value: refuseJson });
  }

  /** The request's signal was aborted. */
  handleEvent(): void {
    // The sink itself is the listener, which saves a function for each connection.
    this.onCancel();
  }

  end(): Promise<void> {
    this.makeHeader();
    const last = this.takeLast();
    this.#release();
    try {
      if (last !== null) this.#enqueue(last);
      this.#bodySource.controller.close();
    } catch {
      // The reader cancelled the body: it is closed already.
    }
    // At once: no platform says when the reader of a body has sent its last chunk to the client.
    return Promise.resolve();
  }

  abort(): void {
    // Chunks that the body holds already stay there for its reader.
    this.pending = null;
    this.end();
  }

  /** The body has room again. */
  onRoom(): void {
    // Streams also call `pull` while there was room all along.
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#wasRead = true;
    this.#unchecked = this.queued;
    this.resume();
  }

  /** The reader has canceled the body. */
  onCancel(): void {
    this.pending = null;
    this.owner?.onGone();
  }

  protected override makeHeader(): void {
    if (this.#headerSource === null) return;
    this.#headers = this.#headerSource(this.#preset);
    this.#headerSource = null;
  }

  #mergedHeaders(overrides: HeaderOverrides | undefined): HeaderFields {
    this.makeHeader();
    const headers = this.#headers ?? eventStreamHeaders();
    return overrides === undefined ? headers : mergeHeaders(headers, overrides);
  }

  protected get queued(): number {
    const { desiredSize } = this.#bodySource.controller;
    // A body that has been read to its end, or cancelled, says 0.
    const isOver = desiredSize === null || (desiredSize === 0 && this.owner === null);
    return isOver ? 0 : highWaterMark - desiredSize;
  }

  protected get blocked(): boolean {
    return this.#blocked;
  }

  protected send(frame: Frame): boolean {
    if (this.#blocked) return false;
    this.#enqueue(frame);
    // The body cannot be full before so much has gone into it: asking it each time would cost a tenth of a delivery.
    this.#unchecked += frame.byteLength;
    if (this.#unchecked >= highWaterMark) this.#check(this.#bodySource.controller.desiredSize as number);
    return true;
  }

  /** In slices, since the body counts a chunk as taken only when it is taken whole. */
  #enqueue({ bytes }: Frame): void {
    const { controller } = this.#bodySource;
    if (bytes.length <= maxSliceBytes) controller.enqueue(bytes);
    else
      for (let at = 0; at < bytes.length; at += maxSliceBytes)
        controller.enqueue(bytes.subarray(at, at + maxSliceBytes));
  }

  #check(room: number): void {
    const queued = highWaterMark - room;
    this.#wasRead ||= queued < this.#unchecked;
    this.#unchecked = queued;
    if (room > 0) return;
    this.#blocked = true;
    this.#bodySource.askForRoom();
  }

  #release(): void {
    this.owner = null;
    this.pending = null;
    this.#signal?.removeEventListener("abort", this);
    this.#signal = null;
    this.#unreadCheck?.stop();
    this.#unreadCheck = null;
  }
}

/** The `toJSON` of the response: without it, Express would send `{}` for a `Response` that it is given. */
function refuseJson(): never {
  throw new SourcecastTypeError(
    "ERR_SSE_ARGUMENT",
    "The Response of an event stream cannot be sent as JSON; where a route answers through a response of node:http, as in " +
      "Express, call openEventSource(req, res) of sourcecast/node and return nothing",
  );
}

const queuingStrategy: QueuingStrategy<Uint8Array> = { highWaterMark, size: (chunk) => chunk.byteLength };

/**
 * The source under the body. A stream that is not full calls `pull` after every chunk; a promise that stays open spares that,
 * a third of the time of a delivery, until there is a reason to ask for room.
 */
class BodySource implements UnderlyingDefaultSource<Uint8Array> {
  controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly #sink: WebSink;
  #answer: (() => void) | null = null;

  constructor(sink: WebSink) {
    this.#sink = sink;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.controller = controller;
  }

  pull(): Promise<void> | undefined {
    this.#sink.onRoom();
    if ((this.controller.desiredSize ?? 0) <= 0) return undefined;
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  cancel(): void {
    this.#sink.onCancel();
  }

  /** Has `pull` called again when the reader has taken enough. */
  askForRoom(): void {
    this.#answer?.();
    this.#answer = null;
  }
}
