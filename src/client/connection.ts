// One stream over many connections: runs the state machine of reconnect.ts over `fetch`, the parser and real timers.
import { SourcecastError } from "../base/errors.ts";
import { EventStreamParser, type ParsedEvent } from "../wire/parse.ts";
import { readKeepAlive } from "../wire/preamble.ts";
import type { Environment } from "./environment.ts";
import { StreamError } from "./errors.ts";
import {
  type ClosedBy,
  dueAt,
  initialState,
  type ReconnectInput,
  type ReconnectSettings,
  type ReconnectState,
  staleAt,
  step,
  TimeoutReason,
} from "./reconnect.ts";
import { prepareRequest, type RequestOptions } from "./request.ts";
import { judge } from "./response.ts";

/** The callbacks of a connection, in the order of the stream. None is called after `onClosed`. */
export interface ConnectionHandlers {
  onState(state: ReconnectState): void;
  onOpen(response: Response): void;
  onEvent(event: ParsedEvent): void;
  onComment(text: string): void;
  /** Resolves when more may be read; `undefined` for at once. */
  ready(): Promise<void> | undefined;
}

/** The settings of a connection. */
export interface ConnectionOptions extends RequestOptions, ReconnectSettings {
  readonly fetch: typeof fetch;
  readonly maxEventSize: number;
  readonly shouldRetry: ((error: StreamError, attempt: number) => boolean | undefined) | undefined;
}

/** Keeps a stream open until it is closed. */
export class Connection {
  /** The id that a reconnect sends. */
  lastEventId: string;
  readonly #options: ConnectionOptions;
  readonly #environment: Environment;
  readonly #handlers: ConnectionHandlers;
  #state: ReconnectState;
  #abort: AbortController | null = null;
  #cancelTimer: (() => void) | null = null;
  #timerAt = Number.POSITIVE_INFINITY;
  #unwatch: () => void = () => {};
  #reportedStale = false;
  /** A 401 or 403 was answered by asking for the headers once more. */
  #reauthorized = false;

  constructor(options: ConnectionOptions, environment: Environment, handlers: ConnectionHandlers, lastEventId: string) {
    this.#options = options;
    this.#environment = environment;
    this.#handlers = handlers;
    this.lastEventId = lastEventId;
    this.#state = initialState(environment.now(), options.defaultRetry);
  }

  get state(): ReconnectState {
    return this.#state;
  }

  /** Opens the first connection. */
  start(): void {
    this.#unwatch = this.#environment.watch({
      onWake: () => this.#input({ type: "wake", online: this.#environment.online() }),
      onSuspend: () => this.#input({ type: "suspend" }),
      onOffline: () => this.#handlers.onState(this.#state),
    });
    this.#handlers.onState(this.#state);
    void this.#open();
    this.#schedule();
  }

  close(by: ClosedBy, error?: unknown): void {
    this.#input({ type: "close", by, error });
  }

  /** The server asks for a longer wait after this connection. */
  later(time: number): void {
    this.#input({ type: "later", time });
  }

  /** Gives up this connection and opens another one at once. */
  reconnect(): void {
    this.#input({ type: "lost", immediately: true });
  }

  /** Whether the stream has been idle for suspiciously long. */
  get stale(): boolean {
    return this.#environment.now() >= staleAt(this.#state, this.#options);
  }

  #input(input: ReconnectInput): void {
    const before = this.#state;
    const environment = this.#environment;
    this.#state = step(before, input, environment.now(), this.#options, environment.random());
    const { phase, connection } = this.#state;
    const isLeft = connection !== before.connection || phase === "waiting" || phase === "closed";
    if (isLeft) this.#drop();
    if (connection !== before.connection) void this.#open();
    if (phase === "closed") this.#unwatch();
    // A stream that was stale is open again with the first byte.
    const wasStale = this.#reportedStale;
    this.#reportedStale = this.stale;
    const changed =
      wasStale !== this.#reportedStale ||
      phase !== before.phase ||
      connection !== before.connection ||
      this.#state.paused !== before.paused;
    if (changed) this.#handlers.onState(this.#state);
    this.#schedule();
  }

  /** Ends the open connection. Its callbacks are ignored from then on. */
  #drop(): void {
    this.#abort?.abort();
    this.#abort = null;
  }

  /** One timer, at the next moment when time alone may change the state. Bytes do not move it: it checks again when it fires. */
  #schedule(): void {
    const state = this.#state;
    const now = this.#environment.now();
    const stale = staleAt(state, this.#options);
    const due = stale > now ? Math.min(stale, dueAt(state, this.#options)) : dueAt(state, this.#options);
    if (this.#cancelTimer !== null && this.#timerAt <= due && state.phase === "open") return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (due === Number.POSITIVE_INFINITY) return;
    this.#timerAt = due;
    this.#cancelTimer = this.#environment.after(due - now, () => {
      this.#cancelTimer = null;
      this.#input({ type: "tick" });
    });
  }

  async #open(): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    const { signal } = abort;
    try {
      const { url, init } = await prepareRequest(this.#options, this.lastEventId);
      if (signal.aborted) return;
      const response = await this.#options.fetch(url, { ...init, signal });
      if (signal.aborted) return;
      const verdict = await judge(response);
      if (signal.aborted) return;
      if (verdict.kind === "stream") await this.#read(response, signal);
      else if (verdict.kind === "ended") this.close("ended");
      else this.#reject(verdict.kind, verdict.error, verdict.retryAfter);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  async #read(response: Response, signal: AbortSignal): Promise<void> {
    this.#reauthorized = false;
    this.#input({ type: "opened" });
    this.#handlers.onOpen(response);
    const parser = new EventStreamParser(
      {
        onEvent: (event) => {
          if (signal.aborted) return;
          this.lastEventId = event.lastEventId;
          if (this.#state.attempt > 0 && !event.type.startsWith("sse:")) this.#input({ type: "event" });
          this.#handlers.onEvent(event);
        },
        onComment: (text) => {
          if (signal.aborted) return;
          const interval = readKeepAlive(text);
          if (interval !== null) this.#input({ type: "keepAlive", interval });
          this.#handlers.onComment(text);
        },
        onRetry: (time) => this.#input({ type: "retry", time }),
      },
      { lastEventId: this.lastEventId, maxEventSize: this.#options.maxEventSize },
    );
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    signal.addEventListener("abort", () => void reader.cancel().catch(ignore), { once: true });
    while (!signal.aborted) {
      await this.#waitUntilReady();
      if (signal.aborted) return;
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (done) break;
      this.#input({ type: "bytes" });
      parser.push(value);
      if (signal.aborted) return;
      // An event without data sets the id, too.
      this.lastEventId = parser.lastEventId;
    }
    this.#input({ type: "lost" });
  }

  /** Reading stops while consumers are full. No bytes are expected, so the watchdog stops with it. */
  async #waitUntilReady(): Promise<void> {
    const waiting = this.#handlers.ready();
    if (waiting === undefined) return;
    this.#input({ type: "paused", paused: true });
    await waiting;
    this.#input({ type: "paused", paused: false });
  }

  #reject(kind: "final" | "unauthorized" | "retry", error: StreamError, retryAfter: number): void {
    const asked = this.#options.shouldRetry?.(error, this.#state.attempt);
    const mayReauthorize =
      kind === "unauthorized" && typeof this.#options.headers === "function" && !this.#reauthorized;
    if (asked === false) this.close("failed", error);
    else if (asked === true || kind === "retry") this.#input({ type: "lost", error, retryAfter });
    else if (mayReauthorize) {
      this.#reauthorized = true;
      this.#input({ type: "lost", error, immediately: true });
    } else this.close("failed", error);
  }

  #fail(cause: unknown): void {
    const error = toStreamError(cause);
    const asked = this.#options.shouldRetry?.(error, this.#state.attempt);
    const isFinal = error.failure === "event-size" || asked === false;
    if (isFinal && asked !== true) this.close("failed", error);
    else this.#input({ type: "lost", error });
  }
}

/** The error of a state, as applications see it. */
export function errorOf({ error }: ReconnectState): StreamError | undefined {
  if (error === undefined) return undefined;
  if (!(error instanceof TimeoutReason)) return toStreamError(error);
  const { during, time } = error;
  return new StreamError(
    "timeout",
    during === "connect"
      ? `The connection was not open after ${time} ms; check the network, or raise timeout.connect`
      : `Nothing has arrived for ${time} ms, not even a keep-alive; the connection counts as dead`,
  );
}

function toStreamError(cause: unknown): StreamError {
  if (cause instanceof StreamError) return cause;
  if (cause instanceof SourcecastError && cause.code === "ERR_SSE_LIMIT") {
    return new StreamError("event-size", cause.message, { cause });
  }
  const found = String((cause as { message?: unknown } | null)?.message ?? cause);
  return new StreamError("network", `The connection failed: ${found}`, { cause });
}

function ignore(): void {}
