// The connection of a lane, and during a handover the next one, which takes over when the channels have changed.
import type { ParsedEvent } from "../wire/parse.ts";
import { readChannelLimit } from "../wire/preamble.ts";
import { delayed, reconnect } from "./backoff.ts";
import { addFields, channelFields } from "./channel-fields.ts";
import { Connection } from "./connection.ts";
import { type StreamError, tooManyChannels } from "./errors.ts";
import { readControlData } from "./events.ts";
import type { Line } from "./line.ts";
import type { ResolvedSubscribeOptions } from "./options.ts";
import type { ClosedBy, ReconnectState } from "./reconnect.ts";
import type { Asked } from "./request.ts";
import type { StreamRequest } from "./stream-request.ts";
import { isAsked, type Upstream, type UpstreamContext, type UpstreamOwner } from "./upstream.ts";

/** Subscriptions that begin within this time join in one handover. */
const joinDelayMs = 10;
/** A component that is removed and added again within this time changes nothing. */
const lingerMs = 1_000;
/** How long a new connection may stay without an event before the old one is closed nevertheless. */
const takeoverMs = 2_000;
/** How long to wait for a position from the server before lines with other channels get another connection. */
const identifyMs = 500;
/** A server that notices the end of the old connection within this time accepts the new one. */
const breakMs = 250;

/** One connection. */
interface Leg {
  readonly connection: Connection;
  request: StreamRequest | null;
  /** The response has arrived, and the routes of the request are not in force yet. */
  isOpening: boolean;
}

/**
 * The next connection takes over with its first event. Until then it may still be rejected, even by a stream that only
 * says `sse:later`, and the old one continues. So each leg names its channels again in each attempt.
 */
export class Handover implements Upstream {
  readonly #owner: UpstreamOwner;
  readonly #context: UpstreamContext;
  readonly #options: ResolvedSubscribeOptions;
  /** Delivers events. */
  #current: Leg | null = null;
  /** Has other channels, and delivers nothing yet. */
  #next: Leg | null = null;
  #cancelTimer: () => void = () => {};

  constructor(owner: UpstreamOwner, context: UpstreamContext, options: ResolvedSubscribeOptions = context.options) {
    this.#owner = owner;
    this.#context = context;
    this.#options = options;
  }

  get state(): ReconnectState | null {
    return this.#current?.connection.state ?? null;
  }

  get nextState(): ReconnectState | null {
    return this.#next?.connection.state ?? null;
  }

  get isOpen(): boolean {
    return this.state?.phase === "open" && this.#current?.isOpening === false;
  }

  update(added?: Line): void {
    const next = this.#next;
    if (this.#current === null) {
      const leg = this.#connect();
      this.#current = leg;
      // The first request has the channels of all lines that begin in the same turn.
      queueMicrotask(() => {
        if (this.#current === leg) leg.connection.start();
      });
      return;
    }
    if (next !== null) {
      const isWaiting = this.nextState?.phase === "waiting";
      // It may have been asked to give up the channels of a new line. Or it waits to be admitted, and no line needs it.
      const isOutdated = added !== undefined && !isWaiting && !isAsked(next.request, added);
      if (isOutdated || (isWaiting && this.#owner.router.waiting.length === 0)) this.#dropNext();
    }
    this.#settle();
  }

  /**
   * Opens the next connection. While a reconnect is under way there is nothing to hand over: it asks for the channels
   * itself.
   */
  handOver(): void {
    if (this.#next !== null || !this.isOpen) return;
    this.#cancelTimer();
    this.#next = this.#connect();
    this.#next.connection.start();
  }

  /** The new attempt asks for all channels, so a next connection is not needed. */
  reconnect(): void {
    this.#current?.connection.change(reconnect);
  }

  close(): void {
    this.#cancelTimer();
    this.#dropNext();
    this.#replace(null);
  }

  /** Starts nothing yet: the caller keeps the leg first, since a connection reports its state when it starts. */
  #connect(): Leg {
    const handlers = {
      onState: (state: ReconnectState) => this.#onState(leg, state),
      onOpen: () => this.#onOpen(leg),
      onEvent: (event: ParsedEvent) => this.#onEvent(leg, event),
      onComment: (text: string) => this.#onComment(leg, text),
      ready: () => this.#owner.ready(),
      ask: (lastEventId: string) => this.#ask(leg, lastEventId),
    };
    const connection = new Connection(this.#options, this.#context.environment, handlers, this.#owner.router.cursor);
    const leg: Leg = { connection, request: null, isOpening: true };
    return leg;
  }

  /** A connection is forgotten before it is closed, so that its last state is not shown. */
  #dropNext(): void {
    const leg = this.#next;
    this.#next = null;
    leg?.connection.close("closed");
  }

  #replace(next: Leg | null): void {
    const leg = this.#current;
    this.#current = next;
    leg?.connection.close("closed");
  }

  /** Breaks before it makes, for servers that do not accept a second connection. */
  #restart(delay = 0): void {
    this.close();
    this.#current = this.#connect();
    this.#current.connection.start((state, now) => delayed(state, now, delay));
  }

  /** Called for each attempt, so that a reconnect asks for the channels that are wanted by then. */
  #ask(leg: Leg, lastEventId: string): Asked {
    const { router } = this.#owner;
    const request = router.request();
    leg.request = request;
    leg.isOpening = true;
    // The ids of other servers may come without an event. The connection knows them.
    const position = router.hasPosition ? request.cursor : lastEventId;
    const fields = channelFields(request);
    if (position !== "" && this.#options.lastEventIdIn === "query") fields.append("lastEventId", position);
    return { lastEventId: position, complete: (prepared) => addFields(prepared, fields) };
  }

  #onState(leg: Leg, { phase, closedBy, error }: ReconnectState): void {
    // A 429 may be a limit of connections, of which the old connection takes one.
    const isCrowded = phase === "waiting" && (error as StreamError | undefined)?.status === 429;
    if (leg === this.#next) {
      if (phase === "closed") this.#reject(leg, closedBy ?? "failed", error);
      else if (isCrowded) this.#restart(breakMs);
      else this.#owner.show();
    }
    if (leg !== this.#current) return;
    if (phase === "open" && leg.isOpening) this.#enter(leg);
    // The next attempt of this connection asks for the new channels itself.
    if (phase !== "open") this.#dropNext();
    if (phase === "closed") this.#owner.end(leg.request, closedBy ?? "closed", error);
    else if (phase !== "open" && this.#owner.isIdle) this.#owner.shut();
    else {
      this.#owner.show();
      if (isCrowded) this.#owner.crowded();
    }
  }

  /** The old connection continues. Only the lines that were to join are rejected. */
  #reject(leg: Leg, by: ClosedBy, error?: unknown): void {
    this.#dropNext();
    this.#owner.reject(leg.request, by, error);
    this.#settle();
  }

  #onOpen(leg: Leg): void {
    if (leg === this.#next) this.#after(takeoverMs, () => this.#takeOver());
  }

  #onEvent(leg: Leg, event: ParsedEvent): void {
    const { connection } = leg;
    // Control events do not count as recovery: an overloaded hub answers with a stream of one `sse:later`, and the delay has
    // to grow from one such answer to the next.
    if (connection.state.attempt > 0 && !event.type.startsWith("sse:")) connection.tell({ attempt: 0 });
    const isNext = leg === this.#next;
    if (event.type === "sse:later") this.#onLater(leg, readControlData(event));
    else if (isNext && event.type === "sse:end" && readControlData(event).channel === undefined) {
      this.#reject(leg, "ended");
    } else {
      if (isNext) this.#takeOver();
      if (leg === this.#current) this.#receive(event);
    }
  }

  #onLater(leg: Leg, { reason, retryAfter, limit }: Record<string, unknown>): void {
    leg.connection.tell({ laterFloor: Number(retryAfter) || 0 });
    const isNext = leg === this.#next;
    if (isNext) this.#cancelTimer();
    if (reason === "channels") {
      // One subscription has one position, so its channels cannot be divided here.
      if (!this.#owner.split()) leg.connection.close("failed", tooManyChannels(limit));
      else if (isNext) this.#dropNext();
      else this.#restart();
    }
    // The server allows no second connection: break before make.
    else if (reason === "connectionsPerKey") isNext ? this.#restart(breakMs) : this.#owner.crowded();
  }

  /** The state of the joining channels is complete: changes that came in between can be made now. */
  #receive(event: ParsedEvent): void {
    const { router } = this.#owner;
    const wasJoining = router.isJoining;
    this.#owner.receive(event);
    if (wasJoining && !router.isJoining) this.#settle();
  }

  #onComment(leg: Leg, text: string): void {
    this.#context.limit = readChannelLimit(text) ?? this.#context.limit;
    if (leg === this.#current) this.#owner.comment(text);
  }

  /** The routes of a request are in force. */
  #enter(leg: Leg): void {
    leg.isOpening = false;
    if (leg.request !== null) this.#owner.open(leg.request);
    this.#settle();
  }

  /** Closes the old connection: from here on, the new one delivers. */
  #takeOver(): void {
    const leg = this.#next;
    if (leg?.connection.state.phase !== "open") return;
    this.#next = null;
    this.#replace(leg);
    this.#enter(leg);
    this.#owner.show();
  }

  /** Waits until changes have settled: long if only something has left, short if a line waits for its channels. */
  #settle(): void {
    const { routes, waiting, hasSurplus, isJoining } = this.#owner.router;
    if (this.#next !== null || !this.isOpen || (isJoining && routes.size > 0)) return;
    this.#cancelTimer();
    const isWaiting = waiting.length > 0;
    if (isWaiting || this.#owner.isIdle || hasSurplus) {
      this.#after(isWaiting ? joinDelayMs : lingerMs, () => this.#change());
    }
  }

  /** Makes the changes that have settled. */
  #change(): void {
    if (this.#owner.isIdle) this.#owner.shut();
    else if (this.#owner.router.hasPosition) this.handOver();
    // A hub sends its position first of all. A server that has sent none after a while has none.
    else this.#after(identifyMs, () => (this.#owner.router.hasPosition ? this.#change() : this.#owner.part()));
  }

  /** One wait at a time: each change starts over, so changes that follow each other become one. */
  #after(milliseconds: number, callback: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#context.environment.after(milliseconds, callback);
  }
}
