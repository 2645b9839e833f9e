// One stream and the lines on it, each a subscription. `router.ts` decides which line receives what.
import type { ParsedEvent } from "../wire/parse.ts";
import type { Line } from "./line.ts";
import type { ClosedBy } from "./reconnect.ts";
import { Router } from "./router.ts";
import type { StreamRequest, StreamSnapshot } from "./stream-request.ts";
import { isAsked, type Upstream, type UpstreamContext, type UpstreamOwner } from "./upstream.ts";

/**
 * Lines that share a connection, or one line with a connection of its own.
 *
 * Its upstream brings the streams: connections of this page, or those of another tab. The lane knows nothing of that. It tells
 * the upstream when its lines have changed, and routes what arrives. A line may move to another lane at any event, also within its
 * own callback, so loops over the lines read a copy wherever a line may leave.
 */
export class Lane implements UpstreamOwner {
  readonly router: Router<Line>;
  /** Whether several lines may use it. A connection that is not shared is paused by a full loop. */
  readonly isShared: boolean;
  /** Whether its lines stay. Lines of the others have come late or lag, and move to one that is home when they have caught up. */
  readonly isHome: boolean;
  /** Lines that catch up on connections of their own, and come back. */
  readonly returning: Set<Line> = new Set();
  readonly #context: LaneContext;
  readonly #upstream: Upstream;
  /** The server sends no cursors, so channels cannot change. */
  #isFixed = false;
  /** Lines leave, and must not come back in the same turn: each would ask for its channels, and be sent away again. */
  #isParting = false;

  constructor(
    context: LaneContext,
    isShared: boolean,
    cursor = "",
    held: Iterable<string> = [],
    isHome: boolean = isShared,
  ) {
    this.#context = context;
    this.isShared = isShared;
    this.isHome = isHome;
    this.router = new Router(isShared, cursor, held);
    this.#upstream = context.connect(this);
    context.add(this);
  }

  /** Whether a stream is open and its routes are in force. */
  get isOpen(): boolean {
    return this.#upstream.isOpen;
  }

  /** Whether no line needs the connection. It is kept for a moment, since a component may be added again. */
  get isIdle(): boolean {
    return this.router.routes.size + this.returning.size === 0;
  }

  /** Whether a line can be served here, now or after a handover. */
  accepts(line: Line, limit: number, isHome = true): boolean {
    if (this.#isParting || !this.isShared || this.isHome !== isHome) return false;
    if (new Set([...this.router.wanted, ...line.channels]).size > limit) return false;
    return !this.#isFixed || this.router.covers(line);
  }

  /**
   * Takes a line on. It receives at once what arrives from now on, if the stream has all of its channels. Otherwise it waits for a
   * handover, and its status is `connecting` until then.
   */
  add(line: Line): void {
    this.router.routes.add(line);
    line.lane = this;
    if (this.isOpen) this.#attach(line);
    this.#upstream.update(line);
    this.#show(line);
  }

  /** Takes a line off, because it is closed or served elsewhere. */
  remove(line: Line): void {
    this.router.routes.delete(line);
    this.#context.forget(line);
    this.#update();
  }

  /** A line that waited for this lane is closed or served elsewhere. */
  forget(line: Line): void {
    this.router.guests.delete(line);
    if (this.returning.delete(line)) this.#update();
  }

  /** A connection that is not open is of no use to a component that comes back. */
  #update(): void {
    if (this.isIdle && !(this.isHome && this.isOpen)) this.shut();
    else this.#upstream.update();
  }

  reconnect(): void {
    this.#upstream.reconnect();
  }

  /** Takes a line over from a connection of its own, once this one sends all that the line has not received. */
  invite(line: Line): void {
    const { router } = this;
    if (router.isJoining || router.isAhead(line)) return;
    if (router.covers(line)) this.#takeIn(line);
    else {
      router.guests.add(line);
      this.#upstream.handOver();
    }
  }

  /** A line continues alone, after a cursor: until it has caught up, or for good. */
  detach(line: Line, cursor: string, returns: boolean): void {
    line.isDetached = !returns;
    this.router.routes.delete(line);
    if (returns) this.returning.add(line);
    new Lane(this.#context, false, cursor, line.channels).add(line);
    this.#update();
  }

  /** Lets a line receive, if the stream has its channels. */
  #attach(line: Line): void {
    this.router.attach(line);
    if (line.carried) line.handlers.onOpen?.();
  }

  /** Adds the line here before it leaves its old lane, so that neither lane looks idle in between. */
  #takeIn(line: Line): void {
    const before = line.lane;
    this.router.routes.add(line);
    line.lane = this;
    before?.remove(line);
    // A next connection that was to give up the channels of the line is outdated.
    this.#upstream.update(line);
    this.#attach(line);
    this.#show(line);
  }

  /** A line that waits for its channels is connecting, as the connection that will have them is. */
  #show(line: Line): void {
    const { isOpen, state, nextState } = this.#upstream;
    const shown = line.carried || !isOpen ? state : (nextState ?? state);
    if (shown === null) return;
    if (line.carried || shown.phase !== "open") line.show(shown);
    else line.show({ ...shown, phase: "connecting", attempt: Math.max(1, shown.attempt) });
  }

  /** One function for all events, which arrive by the thousand. */
  readonly #deliver = (line: Line, event: ParsedEvent): void => {
    line.handlers.onEvent?.(event);
    if (!this.isShared || line.isClosed || !line.handlers.isFull?.() || !this.router.isComplete(line)) return;
    if (event.lastEventId === "") line.handlers.overflow?.();
    else this.detach(line, event.lastEventId, false);
  };

  /** Continues with the stream of another tab. */
  restore(snapshot: StreamSnapshot): void {
    this.#begin(() => this.router.restore(snapshot), true);
  }

  /** Lets lines that wait begin with a stream, apart from those that have missed state, which get it elsewhere. */
  #begin(start: () => void, isUnderWay: boolean): void {
    const { routes, waiting } = this.router;
    for (const line of waiting) routes.delete(line);
    start();
    for (const line of waiting) {
      if (!this.isHome || !line.needsState || !this.router.isLate(line, isUnderWay)) {
        routes.add(line);
        this.#attach(line);
      } else this.#context.catchUp(this, line);
    }
  }

  // --- UpstreamOwner ---

  /** Lines that waited are told first. Guests have been receiving all the time, on other connections. */
  open(request: StreamRequest): void {
    const { router } = this;
    this.#begin(() => router.opened(request), false);
    for (const guest of request.guests as readonly Line[]) if (router.guests.has(guest)) this.#takeIn(guest);
    router.guests.clear();
  }

  /**
   * Hands an event to the lines that it is for. An event that names no channel where it could be for some lines and not for
   * others is the fault of the server, and ends the lines with an error: dropping it would be a silent loss.
   */
  receive(event: ParsedEvent): void {
    try {
      this.router.receive(event, this.#deliver);
    } catch (error) {
      this.end(null, "failed", error);
    }
    this.#context.merge();
  }

  /** Comments belong to no channel. */
  comment(text: string): void {
    for (const line of this.router.routes) line.handlers.onComment?.(text);
  }

  /**
   * A shared connection waits for asynchronous validation alone, which is bounded. A loop that is full does not stop the other
   * lines: its line has left by then.
   */
  ready(): Promise<unknown> | undefined {
    const waits: Promise<void>[] = [];
    for (const line of this.router.routes) {
      const wait = line.handlers.ready?.(this.isShared);
      if (wait !== undefined) waits.push(wait);
    }
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  /** A listener for the status may close its line. */
  show(): void {
    for (const line of [...this.router.routes]) this.#show(line);
  }

  /** Lines that the old stream serves are not concerned. Neither are those that came after the request. */
  reject(request: StreamRequest | null, by: ClosedBy, error: unknown): void {
    this.router.guests.clear();
    for (const line of this.router.waiting) if (isAsked(request, line)) line.close(by, error);
  }

  /** Lines that came after the request was sent get another connection. */
  end(request: StreamRequest | null, by: ClosedBy, error: unknown): void {
    const lines = [...this.router.routes];
    this.shut();
    for (const line of lines) if (request === null || isAsked(request, line)) line.close(by, error);
    this.#dismiss((line) => !line.isClosed);
  }

  /** The server allows no other connection, so lines that have received nothing do without the state of their channels. */
  crowded(): void {
    this.#dismiss((line) => {
      if (this.isHome || !this.isShared || line.position !== null) return false;
      line.carried = false;
      line.needsState = false;
      return true;
    });
  }

  /** From now on the lane takes only lines whose channels the stream has. */
  part(): void {
    this.#isFixed = true;
    this.#dismiss((line) => !line.carried);
  }

  /** Keeps the oldest lines as far as the limit allows. */
  split(): boolean {
    const kept = new Set<string>();
    return this.#dismiss(({ channels }) => {
      const union = new Set([...kept, ...channels]);
      if (union.size > this.#context.limit && kept.size > 0) return true;
      for (const channel of union) kept.add(channel);
      return false;
    });
  }

  /**
   * Finds other connections for some lines, and says whether there were any. One that has received events continues after them.
   */
  #dismiss(isDismissed: (line: Line) => boolean): boolean {
    const { routes, cursor } = this.router;
    const lines = [...routes].filter(isDismissed);
    for (const line of lines) routes.delete(line);
    this.#isParting = true;
    for (const line of lines) {
      if (line.carried && cursor !== "") new Lane(this.#context, true, cursor, line.channels).add(line);
      else {
        line.carried = false;
        this.#context.place(line);
      }
    }
    this.#isParting = false;
    if (this.isIdle) this.#update();
    return lines.length > 0;
  }

  /** Ends the connection. Lines that are left have to be closed or placed by the caller. */
  shut(): void {
    this.#context.delete(this);
    this.#upstream.close();
  }
}

/** The group that a lane belongs to. */
export interface LaneContext extends UpstreamContext {
  /** The source of a lane's streams. */
  connect(lane: Lane): Upstream;
  add(lane: Lane): void;
  delete(lane: Lane): void;
  /** Finds another connection for a line. */
  place(line: Line): void;
  /** Opens a connection that sends a line the state of its channels. The line comes back to the lane after that. */
  catchUp(lane: Lane, line: Line): void;
  /** Called when positions have moved: lines with connections of their own may have caught up. */
  merge(): void;
  /** No lane expects the line any more. */
  forget(line: Line): void;
}
