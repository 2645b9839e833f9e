// One connection and the lines on it. When their channels change, another connection takes over; `router.ts` decides which
// line receives what.
import type { ParsedEvent } from "../wire/parse.ts";
import { readChannelLimit } from "../wire/preamble.ts";
import { Connection } from "./connection.ts";
import type { Environment } from "./environment.ts";
import type { StreamError } from "./errors.ts";
import { readControlData } from "./events.ts";
import type { Line } from "./line.ts";
import type { ResolvedSubscribeOptions } from "./options.ts";
import type { ClosedBy, ReconnectState } from "./reconnect.ts";
import type { Asked } from "./request.ts";
import { Router, type StreamRequest } from "./router.ts";

/** Subscriptions that begin within this time join in one handover. */
const joinDelayMs = 10;
/** A component that is removed and added again within this time changes nothing. */
const lingerMs = 1_000;
/** How long a new connection may stay without an event before the old one is closed all the same. */
const takeoverMs = 2_000;
/** How long the position of a server is waited for, before lines with other channels get another connection. */
const identifyMs = 500;
/** A server that notices the end of the old connection within this time accepts the new one. */
const breakMs = 250;

/** One connection of a lane. */
interface Leg {
  readonly connection: Connection;
  request: StreamRequest | null;
  /** The response has arrived, and the routes of the request are not in force yet. */
  isOpening: boolean;
}

/**
 * A connection, as long as lines need it: the one in use, and during a handover the next one.
 *
 * The next one takes over with its first event. Until then it may still be rejected, even by a stream that only says
 * `sse:later`, and the old one goes on. So each leg names its channels again in each attempt.
 */
export class Lane {
  readonly router: Router<Line>;
  readonly #group: LaneContext;
  /** Whether other lines may join. A connection that is not shared is paused by a full loop. */
  readonly isShared: boolean;
  #current: Leg | null = null;
  #next: Leg | null = null;
  #cancelTimer: () => void = () => {};
  /** The server sends no cursors, so channels cannot change. */
  #isFixed = false;

  constructor(group: LaneContext, isShared: boolean, cursor = "", held: Iterable<string> = []) {
    this.#group = group;
    this.isShared = isShared;
    this.router = new Router(isShared, cursor, held);
    group.add(this);
  }

  get isOpen(): boolean {
    return this.#current?.connection.state.phase === "open" && !this.#current.isOpening;
  }

  /** Whether a line can be served here, now or after a handover. */
  accepts(line: Line, limit: number): boolean {
    if (!this.isShared) return false;
    if (this.router.covers(line)) return true;
    return !this.#isFixed && new Set([...this.router.wanted, ...line.channels]).size <= limit;
  }

  add(line: Line): void {
    this.router.routes.add(line);
    line.lane = this;
    if (this.#current === null) {
      const leg = this.#connect();
      this.#current = leg;
      // The first request has the channels of all lines that begin in the same turn.
      queueMicrotask(() => {
        if (this.#current === leg) leg.connection.start();
      });
      return;
    }
    if (this.isOpen) this.#attach(line);
    // The next connection may have been asked to give up the channels of this line.
    const next = this.#next;
    if (next !== null && next.connection.state.phase !== "waiting" && !isAsked(next, line)) this.#drop("next");
    this.#show(line);
    this.#settle();
  }

  /** Takes a line off, because it is closed or served elsewhere. */
  remove(line: Line): void {
    const { routes } = this.router;
    routes.delete(line);
    this.#group.forget(line);
    if (routes.size === 0 && !(this.isShared && this.isOpen)) this.shut();
    else {
      // A next connection that waits to be admitted may have lost its purpose.
      const isWaiting = this.#next?.connection.state.phase === "waiting";
      if (isWaiting && [...routes].every(({ carried }) => carried)) this.#drop("next");
      this.#settle();
    }
  }

  /** Takes a line over from a connection of its own. This one gets its channels first. */
  invite(line: Line): void {
    if (this.router.isJoining || this.router.isAhead(line.position)) return;
    if (this.router.covers(line)) this.#takeIn(line);
    else if (this.#next === null) {
      this.router.guests.add(line);
      this.#handOver();
    }
  }

  /** Ends the connection. */
  shut(): void {
    this.#group.delete(this);
    this.#cancelTimer();
    this.#drop("next");
    this.#drop("current");
  }

  // --- the connections ---

  #connect(): Leg {
    const { options, environment } = this.#group;
    const handlers = {
      onState: (state: ReconnectState) => this.#onState(leg, state),
      onOpen: () => this.#onOpen(leg),
      onEvent: (event: ParsedEvent) => this.#onEvent(leg, event),
      onComment: (text: string) => this.#onComment(leg, text),
      ready: () => this.#ready(),
      ask: (lastEventId: string) => this.#ask(leg, lastEventId),
    };
    const connection = new Connection(options, environment, handlers, this.router.cursor);
    const leg: Leg = { connection, request: null, isOpening: true };
    return leg;
  }

  #drop(which: "current" | "next"): void {
    const leg = which === "current" ? this.#current : this.#next;
    // Forgotten first, so that its last state is not shown.
    if (which === "current") this.#current = null;
    else this.#next = null;
    leg?.connection.close("closed");
  }

  #restart(delay = 0): void {
    this.#drop("next");
    this.#drop("current");
    this.#current = this.#connect();
    this.#current.connection.start(delay);
  }

  #ask(leg: Leg, lastEventId: string): Asked {
    const request = this.router.request();
    leg.request = request;
    leg.isOpening = true;
    const { held: channels, joining, label, cursor } = request;
    // The ids of other servers may come without an event. The connection knows them.
    return { channels, joining, label, lastEventId: this.router.hasPosition ? cursor : lastEventId };
  }

  #onState(leg: Leg, state: ReconnectState): void {
    if (leg === this.#next) this.#onNextState(leg, state);
    if (leg !== this.#current) return;
    if (state.phase === "open" && leg.isOpening) this.#enter(leg);
    // The next attempt of this connection asks for the new channels itself.
    if (state.phase !== "open") this.#drop("next");
    if (state.phase === "closed") this.#end(leg, state);
    else if (this.router.routes.size === 0 && state.phase !== "open") this.shut();
    else this.#showAll();
  }

  /** The connection has ended for good, and with it the lines that it served. */
  #end(leg: Leg, { closedBy, error }: ReconnectState): void {
    const lines = [...this.router.routes];
    this.shut();
    for (const line of lines) {
      if (isAsked(leg, line)) line.close(closedBy ?? "closed", error);
      else this.#group.place(line);
    }
  }

  #onNextState(leg: Leg, { phase, closedBy, error }: ReconnectState): void {
    if (phase === "closed") this.#reject(leg, closedBy ?? "failed", error);
    else if (phase === "waiting" && (error as StreamError | undefined)?.status === 429) this.#restart(breakMs);
    else this.#showAll();
  }

  /** The old connection goes on. Only the lines that were to join are rejected. */
  #reject(leg: Leg, by: ClosedBy, error: unknown): void {
    this.#drop("next");
    this.router.guests.clear();
    for (const line of [...this.router.routes]) if (!line.carried && isAsked(leg, line)) line.close(by, error);
    this.#settle();
  }

  #onOpen(leg: Leg): void {
    if (leg === this.#next) this.#after(takeoverMs, () => this.#takeOver());
    else for (const line of this.router.routes) if (line.carried) line.handlers.onOpen();
  }

  #onEvent(leg: Leg, event: ParsedEvent): void {
    if (event.type === "sse:later") this.#onLater(leg, readControlData(event));
    else if (leg === this.#next && event.type === "sse:end" && readControlData(event).channel === undefined) {
      this.#reject(leg, "ended", undefined);
    } else {
      if (leg === this.#next) this.#takeOver();
      if (leg === this.#current) this.#receive(event);
    }
  }

  #onLater(leg: Leg, { reason, retryAfter }: Record<string, unknown>): void {
    leg.connection.later(Number(retryAfter) || 0);
    if (leg === this.#next) this.#cancelTimer();
    if (reason === "channels") this.#split(leg);
    // The server allows no second connection: break before make.
    else if (leg === this.#next && reason === "connectionsPerKey") this.#restart(breakMs);
  }

  #receive(event: ParsedEvent): void {
    const wasJoining = this.router.isJoining;
    try {
      this.router.receive(event, (line, routed) => this.#deliver(line, routed));
    } catch (error) {
      const lines = [...this.router.routes];
      this.shut();
      for (const line of lines) line.close("failed", error);
    }
    if (wasJoining) this.#settle();
    this.#group.merge();
  }

  #deliver(line: Line, event: ParsedEvent): void {
    line.handlers.onEvent(event);
    if (!this.isShared || line.isClosed || !line.handlers.isFull() || !this.router.isComplete(line)) return;
    if (event.lastEventId === "") {
      line.handlers.overflow();
      return;
    }
    // It continues alone, where it is.
    line.isDetached = true;
    this.remove(line);
    new Lane(this.#group, false, event.lastEventId, line.channels).add(line);
  }

  #onComment(leg: Leg, text: string): void {
    this.#group.limit = readChannelLimit(text) ?? this.#group.limit;
    if (leg === this.#current) for (const line of this.router.routes) line.handlers.onComment(text);
  }

  #ready(): Promise<unknown> | undefined {
    const waits: Promise<void>[] = [];
    for (const line of this.router.routes) {
      const wait = line.handlers.ready(this.isShared);
      if (wait !== undefined) waits.push(wait);
    }
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  // --- changes of the channels ---

  /** The routes of a request are in force. */
  #enter(leg: Leg): void {
    leg.isOpening = false;
    const { request } = leg;
    if (request === null) return;
    this.router.opened(request);
    for (const guest of request.guests as readonly Line[]) if (this.router.guests.has(guest)) this.#takeIn(guest);
    this.router.guests.clear();
    this.#settle();
  }

  /** Closes the old connection: from here on, the new one delivers. */
  #takeOver(): void {
    const leg = this.#next;
    if (leg?.connection.state.phase !== "open") return;
    this.#next = null;
    this.#drop("current");
    this.#current = leg;
    const joined = [...this.router.routes].filter(({ carried }) => !carried);
    this.#enter(leg);
    for (const line of joined) if (line.carried) line.handlers.onOpen();
    this.#showAll();
  }

  #attach(line: Line): void {
    this.router.attach(line);
    if (line.carried) line.handlers.onOpen();
  }

  #takeIn(line: Line): void {
    line.lane?.remove(line);
    this.router.routes.add(line);
    line.lane = this;
    this.#attach(line);
    this.#show(line);
  }

  /** Waits until changes have settled: long if only something has left, short if a line waits for its channels. */
  #settle(): void {
    const { routes, hasSurplus, isJoining } = this.router;
    if (this.#next !== null || !this.isOpen || (isJoining && routes.size > 0)) return;
    this.#cancelTimer();
    const isWaiting = [...routes].some(({ carried }) => !carried);
    if (isWaiting || routes.size === 0 || hasSurplus) {
      this.#after(isWaiting ? joinDelayMs : lingerMs, () => this.#change());
    }
  }

  #change(): void {
    const { routes, hasPosition } = this.router;
    if (routes.size === 0) this.shut();
    else if (hasPosition) this.#handOver();
    else if (this.#isFixed) this.#part();
    else {
      // A hub sends its position first of all. A server that has sent none by then has none.
      this.#after(identifyMs, () => {
        this.#isFixed = !this.router.hasPosition;
        this.#change();
      });
    }
  }

  /** Without a position, a handover would lose events. Lines with other channels get another connection. */
  #part(): void {
    for (const line of [...this.router.routes]) {
      if (line.carried) continue;
      this.router.routes.delete(line);
      this.#group.place(line);
    }
  }

  #handOver(): void {
    this.#cancelTimer();
    this.#next = this.#connect();
    this.#next.connection.start();
  }

  /** The lines follow more channels than a connection of this server may have: some get another one. */
  #split(leg: Leg): void {
    const kept = new Set<string>();
    const moved: Line[] = [];
    for (const line of this.router.routes) {
      const union = new Set([...kept, ...line.channels]);
      if (union.size > this.#group.limit && kept.size > 0) moved.push(line);
      else for (const channel of union) kept.add(channel);
    }
    if (moved.length === 0) return;
    for (const line of moved) this.router.routes.delete(line);
    if (leg === this.#next) this.#drop("next");
    else this.#restart();
    const { cursor } = this.router;
    for (const line of moved) {
      if (line.carried && cursor !== "") new Lane(this.#group, true, cursor, line.channels).add(line);
      else {
        line.carried = false;
        this.#group.place(line);
      }
    }
  }

  #after(milliseconds: number, callback: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#group.environment.after(milliseconds, callback);
  }

  // --- status ---

  #showAll(): void {
    for (const line of [...this.router.routes]) this.#show(line);
  }

  /** A line that waits for its channels is connecting, as the connection that will have them is. */
  #show(line: Line): void {
    const leg = line.carried || !this.isOpen ? this.#current : (this.#next ?? this.#current);
    if (leg === null) return;
    const { state, stale } = leg.connection;
    if (line.carried || state.phase !== "open") line.show(state, stale);
    else line.show({ ...state, phase: "connecting", attempt: Math.max(1, state.attempt) }, false);
  }
}

/** Whether the request of a connection had the channels of a line. */
function isAsked({ request }: Leg, { channels }: Line): boolean {
  return [...channels].every((channel) => request?.held.has(channel) || request?.joining.has(channel));
}

/** The group that a lane belongs to. */
export interface LaneContext {
  readonly options: ResolvedSubscribeOptions;
  readonly environment: Environment;
  /** The most channels that a connection of this server may have. */
  limit: number;
  add(lane: Lane): void;
  delete(lane: Lane): void;
  /** Finds another connection for a line. */
  place(line: Line): void;
  /** Called when positions have moved: lines with connections of their own may have caught up. */
  merge(): void;
  /** No lane expects the line any more. */
  forget(line: Line): void;
}
