// Which subscription receives what from a connection that several share: a pure state machine, without timers and I/O.
//
// The routes give the request to make: channels that the stream has held so far are resumed at its position, others join.
// When a stream has opened for a request, its events are routed. `lane.ts` runs the connections.
import { quote } from "../base/errors.ts";
import { nextPosition, type Position, parseCursor } from "../wire/cursor.ts";
import type { ParsedEvent } from "../wire/parse.ts";
import { StreamError } from "./errors.ts";
import { readControlData } from "./events.ts";
import { hasMatch, Passed } from "./passed.ts";
import { advance, isNew } from "./position.ts";
import { Routes } from "./routes.ts";
import type { Route, StreamRequest, StreamSnapshot } from "./stream-request.ts";

/** Routes the events of one stream after another. */
export class Router<R extends Route> {
  readonly routes: Routes<R> = new Routes();
  /** Routes of another connection that will move to this one, as soon as this one resumes before their positions. */
  readonly guests: Set<R> = new Set();
  /** The id after everything that was routed: where the next stream resumes. */
  cursor: string;
  #position: Position | null;
  /** Channels of which everything up to the position was routed. */
  #held: Set<string>;
  /** Channels that have not reached the position of the held ones. */
  #joining = new Set<string>();
  readonly #passed = new Passed();
  /** The stream has declared a loss, so the state that follows, up to a checkpoint, is for channels that were resumed, too. */
  #hasLost = false;
  readonly #isShared: boolean;
  /** Whether the stream was asked to name the channel of each event. */
  #isLabeled = false;

  /** @param held The channels that were received up to `cursor`. */
  constructor(isShared: boolean, cursor: string, held: Iterable<string>) {
    this.#isShared = isShared;
    this.cursor = cursor;
    this.#position = parseCursor(cursor);
    this.#held = new Set(held);
  }

  /** Whether the server has positions, so that a handover loses nothing. */
  get hasPosition(): boolean {
    return this.#position !== null;
  }

  /** Whether channels have not joined yet. A next connection would join them again, past events of this one. */
  get isJoining(): boolean {
    return this.#joining.size > 0;
  }

  /** Routes whose channels the stream does not have. */
  get waiting(): R[] {
    return [...this.routes].filter(({ carried }) => !carried);
  }

  /** The channels of all routes. */
  get wanted(): Set<string> {
    return unionOf(this.routes);
  }

  /** Whether the stream has channels that no route needs. */
  get hasSurplus(): boolean {
    const { wanted } = this;
    return [...this.#held, ...this.#joining].some((channel) => !wanted.has(channel));
  }

  /** Whether the stream has all channels of a route. */
  covers({ channels }: Route): boolean {
    return [...channels].every((channel) => this.#held.has(channel) || this.#joining.has(channel));
  }

  /** Whether the route has reached the position of the stream on all of its channels. */
  isComplete({ channels, carried }: Route): boolean {
    return carried && (!this.isJoining || ![...channels].some((channel) => this.#joining.has(channel)));
  }

  /** The request of the next stream. */
  request(): StreamRequest {
    const { wanted } = this;
    const joining = new Set([...wanted].filter((channel) => !this.#held.has(channel)));
    const label = this.#isShared && wanted.size > 1;
    // Nothing to resume: the first request, or one for other channels than before.
    const isNewClient = this.cursor === "" || (wanted.size > 0 && joining.size === wanted.size);
    if (isNewClient) return { held: wanted, joining: new Set(), label, cursor: "", guests: [] };
    const guests = [...this.guests].filter((guest) => this.#canTake(guest, joining));
    const held = unionOf([...this.routes, ...guests]);
    for (const channel of joining) held.delete(channel);
    return { held, joining, label: this.#isShared && held.size + joining.size > 1, cursor: this.cursor, guests };
  }

  /** A guest that is ahead of this connection drops what it has. One that lags would miss the events in between. */
  #canTake({ position, channels }: Route, joining: ReadonlySet<string>): boolean {
    return !isNew(this.#position, position) && ![...channels].some((channel) => joining.has(channel));
  }

  /** Whether events have passed that a route would miss. */
  isAhead(route: Route): boolean {
    return this.#passed.isAhead(route);
  }

  /**
   * Whether the stream has sent the state of any channel of a route before the route came. A stream that is under way may have
   * sent some of the state of the channels that join.
   */
  isLate({ position, channels }: Route, isUnderWay: boolean): boolean {
    if (position !== null || !this.hasPosition) return false;
    const isSent = (channel: string): boolean => this.#held.has(channel) || (isUnderWay && this.#joining.has(channel));
    return channels.size === 0 || [...channels].some(isSent);
  }

  /** The cursor of a route that has received everything so far; `""` if it has not. */
  cursorOf(route: Route): string {
    return this.isComplete(route) && !isNew(route.position, this.#position) ? this.cursor : "";
  }

  /**
   * A stream has opened, and replaces the one before. That of another tab may begin after the position of this router: a route
   * in between has missed events, and must not be treated as one that this stream can serve.
   */
  opened({
    held,
    joining,
    label,
    cursor,
    origin = null,
    hasLost = false,
  }: StreamRequest & Partial<StreamSnapshot>): void {
    this.#held = new Set(held);
    this.#joining = new Set(joining);
    this.#isLabeled = label;
    this.#hasLost = hasLost;
    const position = parseCursor(cursor);
    this.#passed.begin(advance(position, origin));
    if (isNew(position, this.#position)) {
      this.cursor = cursor;
      this.#position = position;
    }
    for (const route of this.routes) if (!route.carried) this.attach(route);
  }

  /** The stream as it is now. The sets are those of the router: a message copies them. */
  snapshot(): StreamSnapshot {
    const sets = { held: this.#held, joining: this.#joining };
    return { ...sets, cursor: this.cursor, label: this.#isLabeled, origin: this.#passed.since, hasLost: this.#hasLost };
  }

  /** Continues with the stream of another router, wherever that is. */
  restore(stream: StreamSnapshot): void {
    this.#position = null;
    this.opened({ ...stream, guests: [] });
  }

  /**
   * A route begins to receive, if the stream has all of its channels: from now on where it was held, and with the first event
   * where it joins.
   */
  attach(route: R): void {
    if (!this.covers(route)) return;
    route.carried = true;
    if (this.isComplete(route)) route.position ??= advance(this.#position, this.#passed.since);
  }

  /**
   * Routes an event, to each route at most once.
   *
   * @throws {StreamError} for an event without a channel that could belong to some routes and not to others.
   */
  receive(event: ParsedEvent, deliver: Deliver<R>): void {
    // Only an event with an id of its own that is a cursor has a position: values have no id, and ids of other servers say nothing
    // about order, so neither is ever dropped.
    const position = nextPosition(event.id, this.#position);
    if (event.type === "sse:checkpoint") this.#checkpoint(event, position, deliver);
    else if (event.type === "sse:gap" || event.type === "sse:reset") this.#lose(event, position, deliver);
    else this.#route(event, position, deliver);
  }

  /**
   * The first checkpoint of a stream completes the channels that join: their state has arrived, as of an offset that the data
   * names, and their events follow. The position of the stream may be before it, or before events that routes have.
   */
  #checkpoint(event: ParsedEvent, position: Position | null, deliver: Deliver<R>): void {
    const { held, joined } = readControlData(event) as { held?: number; joined?: number };
    this.#move(event, position);
    const { since } = this.#passed;
    if (position !== null && (this.isJoining || since === null)) {
      const offset = Math.max(position.offset, held ?? 0, joined ?? 0);
      this.#passed.since = advance(since, { ...position, offset });
    }
    for (const route of this.routes) {
      if (!route.carried || position === null) continue;
      const isComplete = this.isComplete(route);
      const offset = (isComplete ? held : joined) ?? position.offset;
      route.position = advance(route.position, { ...position, offset });
      // A route that resumes here later repeats events, and loses none. One that has a later position keeps that.
      if (!isComplete || !isNew(route.position, position)) deliver(route, event);
    }
    for (const channel of this.#joining) this.#held.add(channel);
    this.#joining.clear();
    this.#hasLost = false;
  }

  /** A loss concerns the channels that it names, or else all that were resumed: a route that joins has lost nothing. */
  #lose(event: ParsedEvent, position: Position | null, deliver: Deliver<R>): void {
    const { channels, reason, to } = readControlData(event);
    // Where the address decides about the channels, all of them are the route's.
    const lost = this.#isLabeled && Array.isArray(channels) ? (channels as string[]) : null;
    // The position is where the server says that it is, forward or back: the log may have lost its newest entries, whose
    // offsets are used again.
    const restarts = event.type === "sse:reset" || reason === "unverified";
    this.#move(event, position);
    this.#passed.begin(position);
    this.#hasLost = true;
    for (const route of this.routes) {
      if (!this.isComplete(route)) continue;
      // A stream that begins before the position of a route declares what the route has.
      const upTo = position ?? (typeof to === "number" && route.position ? { ...route.position, offset: to } : null);
      const isKnown = !restarts && !isNew(upTo, route.position);
      route.position = restarts ? position : advance(route.position, upTo);
      const isNamed = lost?.some((channel) => hasMatch(route.channels, channel)) ?? true;
      if (isNamed && !isKnown) deliver(route, event);
    }
  }

  #route(event: ParsedEvent, position: Position | null, deliver: Deliver<R>): void {
    const isEnd = event.type === "sse:end";
    const ended = isEnd ? (readControlData(event).channel as string | undefined) : undefined;
    const label = this.#isLabeled ? (event.channel ?? ended) : undefined;
    if (this.#isLabeled && label === undefined && !event.type.startsWith("sse:")) this.#assertBelongsToAll(event);
    this.#move(event, position);
    if (position !== null) this.#passed.note(label, position);
    const { isJoining } = this;
    for (const route of this.routes.of(label)) {
      if (!route.carried) continue;
      const isComplete = this.isComplete(route);
      if (isJoining && !isEnd && label !== undefined && !this.#isState(label, route, isComplete)) continue;
      if (!isNew(position, route.position)) continue;
      if (position !== null) route.position = position;
      if (ended !== undefined) route.channels.delete(ended);
      deliver(route, isComplete ? event : { ...event, lastEventId: "" });
    }
    if (ended === undefined) return;
    this.routes.reset();
    this.#held.delete(ended);
    this.#joining.delete(ended);
  }

  /**
   * Whether an event, one that comes before channels have joined, is state that the route needs. A route that joins begins at
   * one position on all of its channels, with the state of those that join.
   */
  #isState(label: string, { channels }: Route, isComplete: boolean): boolean {
    return isComplete ? this.#hasLost : hasMatch(channels, label, this.#joining);
  }

  /** An event without a channel, on a stream of several: it belongs to all routes only if each follows all channels. */
  #assertBelongsToAll({ type }: ParsedEvent): void {
    const all = this.#held.size + this.#joining.size;
    for (const { carried, channels } of this.routes) {
      if (!carried || channels.size === all) continue;
      throw new StreamError(
        "label",
        `An event of the type ${quote(type)} names no channel, and subscriptions to different channels share its connection; answer label=1 with the field channel, as channelsOf() does, or subscribe with share: false`,
      );
    }
  }

  #move({ lastEventId }: ParsedEvent, position: Position | null): void {
    this.cursor = lastEventId;
    this.#position = position ?? this.#position;
  }
}

type Deliver<R> = (route: R, event: ParsedEvent) => void;

function unionOf(routes: Iterable<Route>): Set<string> {
  const union = new Set<string>();
  for (const { channels } of routes) for (const channel of channels) union.add(channel);
  return union;
}
