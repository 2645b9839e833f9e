import { quote, SourcecastTypeError } from "../base/errors.ts";
import type { AnyContract } from "../wire/contract.ts";
import { encodeComment } from "../wire/encode.ts";
import type { DispatchArguments, EventMap, EventType } from "../wire/event-types.ts";
import { Frame } from "../wire/frame.ts";
import { type EventOptions, encodeFrame, type Render } from "./event.ts";
import { friend, type StreamObserver } from "./friend.ts";
import { type ContractOptions, resolveContract } from "./options.ts";
import { EventSource } from "./source.ts";

/**
 * A group of sources that hear the same. An event is encoded once for all of them. A member that closes leaves by itself;
 * one that fails does not touch the others. A source may be in many sets.
 *
 * @example
 * ```ts
 * import { EventSource, EventSourceSet } from "sourcecast";
 *
 * const group = new EventSourceSet();
 *
 * export function GET(request: Request): Response {
 *   const source = new EventSource(request);
 *   group.add(source);
 *   return source.response();
 * }
 *
 * group.dispatch("message", "hello everyone");
 * ```
 */
export class EventSourceSet<E extends EventMap = false> extends Set<EventSource<E>> {
  readonly #events: AnyContract | undefined;
  /** The members in the order of a walk; made when the set has changed since the last one. */
  #members: readonly EventSource<E>[] | null = null;
  /** The members by contracts of their own, where some have one and the set has none; made with `#members`. */
  #parties: ReadonlyMap<AnyContract | undefined, readonly EventSource<E>[]> | null = null;
  readonly #follower: StreamObserver = {
    onClose: (source) => {
      super.delete(source as EventSource<E>);
      this.#members = null;
    },
  };

  /**
   * @param sources The first members.
   * @param options May also stand alone.
   */
  constructor(sources?: Iterable<EventSource<E>> | null, options?: ContractOptions<E>);
  constructor(options: ContractOptions<E>);
  constructor(first?: Iterable<EventSource<E>> | ContractOptions<E> | null, second?: ContractOptions<E>) {
    // Members that are given here are added by hand: during super() the fields of this class are not there yet.
    super();
    const alone = typeof first === "object" && first !== null && !(Symbol.iterator in first);
    this.#events = resolveContract((alone ? first : second)?.events);
    for (const source of alone ? [] : (first ?? [])) this.add(source as EventSource<E>);
  }

  /** Adds a source. One that is closed already is left out. */
  override add(source: EventSource<E>): this {
    if (!(source instanceof EventSource)) {
      throw new SourcecastTypeError(
        "ERR_SSE_ARGUMENT",
        `An EventSourceSet takes an EventSource of this package, but got ${quote(source)}`,
      );
    }
    if (source.readyState === EventSource.CLOSED || this.has(source)) return this;
    super.add(source);
    this.#members = null;
    friend.follow(source, this.#follower);
    return this;
  }

  /** Takes a source out. It stays open. */
  override delete(source: EventSource<E>): boolean {
    if (!super.delete(source)) return false;
    this.#members = null;
    friend.unfollow(source, this.#follower);
    return true;
  }

  /** Takes all sources out. They stay open: see {@link closeAll}. */
  override clear(): void {
    for (const source of this) friend.unfollow(source, this.#follower);
    super.clear();
    this.#members = null;
  }

  /**
   * Sends an event to every member.
   *
   * @returns How many were served.
   * @throws {SourcecastTypeError} when the event cannot be written, before anyone is served.
   */
  dispatch<T extends EventType<E>>(type: T, ...rest: DispatchArguments<E, T, EventOptions>): number;
  dispatch(type: string, data?: unknown, options?: EventOptions): number {
    const members = this.#memberList();
    if (this.#parties === null) {
      return this.#deliverForms(members, encodeForAll(members, type, data, options, this.#events));
    }
    const parties = Array.from(this.#parties, ([events, party]) => ({
      party,
      frames: encodeForAll(party, type, data, options, events),
    }));
    return parties.reduce((served, { party, frames }) => served + this.#deliverForms(party, frames), 0);
  }

  /** Sends data under the type that clients hear as `message`. */
  dispatchMessage(...rest: DispatchArguments<E, "message", EventOptions>): number;
  dispatchMessage(data?: unknown, options?: EventOptions): number {
    return (this as EventSourceSet).dispatch("message", data, options);
  }

  /** Sends a comment, which clients ignore. */
  dispatchComment(comment = ""): number {
    return this.#deliver(this.#memberList(), Frame.of(encodeComment(comment)));
  }

  /**
   * Closes every member and empties the set.
   *
   * @returns How many were closed.
   */
  closeAll(reason?: string): number {
    const members = this.#memberList();
    let closed = 0;
    for (const member of members) {
      if (member.readyState === EventSource.CLOSED) continue;
      member.close(reason);
      closed++;
    }
    this.clear();
    return closed;
  }

  #deliver(members: readonly EventSource<E>[], frame: Frame): number {
    let served = 0;
    for (const member of members) if (friend.deliver(member, frame)) served++;
    return served;
  }

  #deliverForms(members: readonly EventSource<E>[], frames: Frame | Map<Render | undefined, Frame>): number {
    if (frames instanceof Frame) return this.#deliver(members, frames);
    let served = 0;
    for (const [render, frame] of frames) {
      served += this.#deliver(
        members.filter((member) => friend.render(member) === render),
        frame,
      );
    }
    return served;
  }

  #memberList(): readonly EventSource<E>[] {
    if (this.#members === null) {
      this.#members = Array.from(this);
      const asked = this.#events === undefined && this.#members.some((member) => friend.contract(member) !== undefined);
      this.#parties = asked ? Map.groupBy(this.#members, (member) => friend.contract(member)) : null;
    }
    return this.#members;
  }
}

/** One frame for all, or one for each way of rendering where members differ in it. Throws before anyone is served. */
function encodeForAll<E extends EventMap>(
  members: readonly EventSource<E>[],
  type: string,
  data: unknown,
  options: EventOptions | undefined,
  events: AnyContract | undefined,
): Frame | Map<Render | undefined, Frame> {
  const value = events === undefined ? data : events.validateSync(type, data);
  if (typeof value === "string" || members.length === 0) return encodeFrame(type, value, options);
  const frames = new Map<Render | undefined, Frame>();
  for (const member of members) {
    const render = friend.render(member);
    if (!frames.has(render)) frames.set(render, encodeFrame(type, value, options, render));
  }
  return frames.size === 1 ? (frames.values().next().value as Frame) : frames;
}
