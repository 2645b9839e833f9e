// One stream over many connections: runs the state machine of reconnect.ts over `fetch`, the parser and real timers.
import { EventStreamParser, type ParsedEvent } from "../wire/parse.ts";
import { readKeepAlive } from "../wire/preamble.ts";
import type { Environment } from "./environment.ts";
import {
  type Change,
  type ClosedBy,
  dueAt,
  initialState,
  type ReconnectInput,
  type ReconnectSettings,
  type ReconnectState,
  step,
  type Told,
} from "./reconnect.ts";
import { type Asked, prepareRequest, type RequestOptions } from "./request.ts";
import type { Rejection, Verdict } from "./response.ts";
import { readerOf, type SendOptions, send } from "./send.ts";
import { slicesOf } from "./slices.ts";

/** The callbacks of a connection, in the order of the stream. No event and no comment follows the phase `closed`. */
export interface ConnectionHandlers {
  onState(state: ReconnectState): void;
  onOpen(response: Response): void;
  /** Called without `this`. */
  readonly onEvent: (event: ParsedEvent) => void;
  onComment?(text: string): void;
  /** Resolves when more may be read; `undefined` for at once. */
  ready?(): Promise<unknown> | undefined;
  /** The channels and the position that an attempt asks for. Without it, the last id. */
  ask?(lastEventId: string): Asked;
}

/** The settings of a connection. */
export interface ConnectionOptions extends RequestOptions, SendOptions, ReconnectSettings {
  readonly maxEventSize: number;
  /** The meaning of a response: the policy of `subscribe()` or of the standard. */
  judge(response: Response): Verdict | Promise<Verdict>;
  /** The meaning of a failure without a response. */
  judgeFailure(cause: unknown): Rejection;
  /** The last word about a rejection: its kind. */
  appeal?(rejection: Rejection, attempt: number): Rejection["kind"];
}

/**
 * Keeps a stream open until it is closed.
 *
 * Timers, bytes and the application only report inputs. The machine of reconnect.ts decides, and `#input()` acts on its
 * decision. Each connection has an `AbortController` of its own, whose signal tells whether the connection is still the
 * current one. It is checked after each step of the opening and around each read, because a `fetch` that the application
 * supplies may ignore it. A listener may close the stream in the middle of a chunk, so leaving a connection resets the parser.
 */
export class Connection {
  /**
   * One for all connections. It keeps the id that a reconnect sends, which follows what was parsed: events that wait for a slow
   * loop are not requested again.
   */
  readonly #parser: EventStreamParser;
  readonly #options: ConnectionOptions;
  readonly #environment: Environment;
  readonly #handlers: ConnectionHandlers;
  #state: ReconnectState;
  /** Of the connection that is open, or being opened. */
  #abort: AbortController | null = null;
  /** `null` when no timer is set. */
  #cancelTimer: (() => void) | null = null;
  /** When the timer fires, in the time of the environment. */
  #timerAt = Number.POSITIVE_INFINITY;
  #unwatch: () => void = () => {};

  constructor(options: ConnectionOptions, environment: Environment, handlers: ConnectionHandlers, lastEventId: string) {
    this.#options = options;
    this.#environment = environment;
    this.#handlers = handlers;
    this.#state = initialState(environment.now(), options.defaultRetry);
    this.#parser = new EventStreamParser(
      {
        onEvent: handlers.onEvent,
        onComment: (text) => {
          const keepAlive = readKeepAlive(text);
          if (keepAlive !== null) this.tell({ keepAlive });
          handlers.onComment?.(text);
        },
        onRetry: (retryFloor) => this.tell({ retryFloor }),
      },
      { lastEventId, maxEventSize: options.maxEventSize },
    );
  }

  get state(): ReconnectState {
    return this.#state;
  }

  /** Opens the first connection, unless `begin` gives a state that waits. */
  start(begin?: Change): void {
    this.#unwatch = this.#environment.watch({
      onWake: () => this.#input({ type: "wake", online: this.#environment.online() }),
      onSuspend: () => this.#input({ type: "suspend" }),
      // A connection may survive a short outage, so nothing ends here. Only a wait has another name without a network.
      onOffline: () => this.#handlers.onState(this.#state),
    });
    if (begin) this.#state = begin(this.#state, this.#environment.now());
    this.#handlers.onState(this.#state);
    if (this.#state.phase === "connecting") void this.#open();
    this.#schedule(this.#environment.now());
  }

  close(by: ClosedBy, error?: unknown): void {
    this.#input({ type: "close", by, error });
  }

  /** Changes the state, and acts on it. */
  change(change: Change): void {
    this.#input({ type: "change", change });
  }

  /** The stream has said something about its own state. */
  tell(told: Told): void {
    this.#input({ type: "bytes", told });
  }

  /** The only place that changes the state. All effects follow from the states before and after. */
  #input(input: ReconnectInput): void {
    const before = this.#state;
    const environment = this.#environment;
    // Each chunk comes here, so the clocks are read once.
    const now = environment.now();
    this.#state = step(before, input, now, this.#options, environment.random());
    const { phase, connection } = this.#state;
    const isLeft = connection !== before.connection || phase === "waiting" || phase === "closed";
    // Before the next one opens, whose controller takes the place of the one to abort.
    if (isLeft) this.#drop();
    if (connection !== before.connection) void this.#open();
    if (phase === "closed") this.#unwatch();
    const changed =
      phase !== before.phase ||
      connection !== before.connection ||
      this.#state.retryAt !== before.retryAt ||
      this.#state.paused !== before.paused ||
      this.#state.stale !== before.stale;
    // A listener may close the stream, which comes back here. So the timer is set last, for the state after that.
    if (changed) this.#handlers.onState(this.#state);
    this.#schedule(now);
  }

  /** Ends the open connection. The rest of a chunk that is being parsed is dropped with it. */
  #drop(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.#parser.reset();
  }

  /** One timer, at the next moment when time alone may change the state. Bytes do not move it: it checks again when it fires. */
  #schedule(now: number): void {
    const due = dueAt(this.#state, this.#options);
    // A timer of an open stream that fires too early finds nothing due, and is set again then. So a chunk costs a comparison
    // here, and no timer.
    if (this.#cancelTimer !== null && this.#timerAt <= due && this.#state.phase === "open") return;
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
      // Within the `try`: a function of the application may throw, which is a failed attempt like any other.
      const { lastEventId } = this.#parser;
      const asked = this.#handlers.ask?.(lastEventId) ?? { lastEventId };
      this.#parser.lastEventId = asked.lastEventId;
      const { url, init } = await prepareRequest(this.#options, asked);
      if (signal.aborted) return;
      const response = await send({ url, init: { ...init, signal } }, this.#options);
      if (signal.aborted) return;
      const verdict = await this.#options.judge(response);
      if (signal.aborted) return;
      if (verdict.kind === "stream") await this.#read(response, signal);
      else if (verdict.kind === "ended") this.close("ended");
      else this.#fail(verdict);
    } catch (cause) {
      if (!signal.aborted) this.#fail(this.#options.judgeFailure(cause), !this.#environment.online());
    }
  }

  async #read(response: Response, signal: AbortSignal): Promise<void> {
    const reader = readerOf(response);
    this.#input({ type: "opened" });
    this.#handlers.onOpen(response);
    // The runtime's `fetch` ends the body when the signal aborts. Another one may not, and `read()` would never settle.
    signal.addEventListener("abort", () => void reader.cancel().catch(ignore), { once: true });
    for (;;) {
      if (signal.aborted) return;
      // Bytes that are not read stay in the socket, so a slow consumer slows down the server. A slice that was begun is parsed to
      // its end, so a buffer can exceed its size by the events of one slice.
      const waiting = this.#waitUntilReady();
      // Each event of a live stream has a chunk of its own, which an `await` for nothing would delay.
      if (waiting) await waiting;
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (done) break;
      // Before the parsing, so that a stale stream is reported as open before its next events.
      this.#input({ type: "bytes" });
      for (const slice of slicesOf(value)) {
        if (slice !== value) await this.#waitUntilReady();
        if (signal.aborted) return;
        this.#parser.push(slice);
      }
    }
    this.#input({ type: "lost", offline: !this.#environment.online() });
  }

  /** Reading stops while consumers are full. No bytes are expected, so the watchdog stops with it. */
  #waitUntilReady(): Promise<void> | undefined {
    const waiting = this.#handlers.ready?.();
    if (waiting !== undefined) this.tell({ paused: true });
    return waiting?.then(() => this.tell({ paused: false }));
  }

  /** A failure, with a response or without. */
  #fail(rejection: Rejection, offline = false): void {
    const kind = this.#options.appeal?.(rejection, this.#state.attempt) ?? rejection.kind;
    this.#input({ ...rejection, type: "lost", kind, offline });
  }
}

function ignore(): void {}
