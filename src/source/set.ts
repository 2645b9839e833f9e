// A group of sources.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { CompressionGroup } from "../compression/group.ts";
import { resolveThreshold } from "../compression/options.ts";
import { fanOut, fanOutMark, settleOtherFanOut } from "../sinks/fan-out.ts";
import type { Sink } from "../sinks/sink.ts";
import type { AnyContract } from "../wire/contract.ts";
import { encodeComment } from "../wire/encode.ts";
import type { DispatchArguments, EventMap, EventType } from "../wire/event-types.ts";
import { Frame } from "../wire/frame.ts";
import { type EventOptions, encodeChecked, encodeFrame, type Render } from "./event.ts";
import { type SetOptions, setChecks } from "./options.ts";
import { EventSource, streamOf } from "./source.ts";
import type { Stream, StreamObserver } from "./stream.ts";
import { expectCompressedSets, joinGroup, leaveGroup } from "./stream-compression.ts";

/**
 * A group of sources that receive the same events. Each event is encoded once for all of them. A member that closes is
 * removed; one that fails does not affect the others. A source may be in many sets.
 *
 * A set checks its own contract and ignores those of its members.
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
  /** The members that are compressed together. */
  readonly #group: CompressionGroup | null;
  /** `null` when the set has changed since they were listed. */
  #members: Members | null = null;
  readonly #observer: StreamObserver = {
    onClose: ({ handle }) => {
      super.delete(handle as EventSource<E>);
      this.#members = null;
    },
  };

  /**
   * @param sources The first members.
   * @param options May also stand alone.
   */
  constructor(sources?: Iterable<EventSource<E>> | null, options?: SetOptions<E>);
  constructor(options: SetOptions<E>);
  constructor(first?: Iterable<EventSource<E>> | SetOptions<E> | null, second?: SetOptions<E>) {
    // `super(first)` would call add() before the fields of this class exist.
    super();
    const isIterable = first === undefined || first === null || Symbol.iterator in Object(first);
    const options = (isIterable ? second : first) as SetOptions<E> | undefined;
    checkOptions(options, setChecks, "EventSourceSet");
    this.#events = options?.events;
    const threshold = resolveThreshold(options?.compress);
    this.#group = threshold === null ? null : new CompressionGroup(threshold);
    if (threshold !== null) expectCompressedSets();
    for (const source of isIterable ? ((first ?? []) as Iterable<EventSource<E>>) : []) this.add(source);
  }

  /** Adds a source, unless it is already closed. */
  override add(source: EventSource<E>): this {
    if (!(source instanceof EventSource)) {
      throw new SourcecastTypeError(
        "ERR_SSE_ARGUMENT",
        `An EventSourceSet takes an EventSource of this package, but got ${quote(source)}`,
      );
    }
    if (source.closeReason !== null || this.has(source)) return this;
    super.add(source);
    this.#members = null;
    const stream = streamOf(source);
    stream.handle = source;
    stream.observe(this.#observer);
    if (this.#group !== null) joinGroup(stream, this.#group);
    return this;
  }

  /** Removes a source and leaves it open. */
  override delete(source: EventSource<E>): boolean {
    if (!super.delete(source)) return false;
    this.#members = null;
    this.#release(streamOf(source));
    return true;
  }

  /** Removes all sources and leaves them open: see {@link closeAll}. */
  override clear(): void {
    for (const source of this) this.#release(streamOf(source));
    super.clear();
    this.#members = null;
  }

  /**
   * Sends an event to every member.
   *
   * @returns The number of members served.
   * @throws {SourcecastTypeError} when the event cannot be written, before it is sent to any member.
   */
  dispatch<T extends EventType<E>>(type: T, ...rest: DispatchArguments<E, T, EventOptions>): number;
  dispatch(type: string, data?: unknown, options?: EventOptions): number {
    const members = this.#list();
    const frames = encodeForAll(members.renders, type, data, options, this.#events);
    if (!(frames instanceof Map)) return this.#deliver(members, frames);
    let served = 0;
    for (const [render, frame] of frames) {
      const rendered = members.streams.filter((stream) => stream.options.render === render);
      served += deliver(rendered, frame);
    }
    return served;
  }

  /** Sends data under the type that clients receive as `message`. */
  dispatchMessage(...rest: DispatchArguments<E, "message", EventOptions>): number;
  dispatchMessage(data?: unknown, options?: EventOptions): number {
    return (this as EventSourceSet).dispatch("message", data, options);
  }

  /** Sends a comment, which clients ignore. */
  dispatchComment(comment = ""): number {
    return this.#deliver(this.#list(), Frame.of(encodeComment(comment)));
  }

  /**
   * Closes every member and empties the set.
   *
   * @returns The number of members closed.
   */
  closeAll(reason?: string): number {
    const { streams } = this.#list();
    let closed = 0;
    for (const stream of streams) {
      if (stream.closeReason !== null) continue;
      stream.close(reason ?? "closed");
      closed++;
    }
    this.clear();
    return closed;
  }

  /** To all members, so that it is compressed for all of them. */
  #deliver(members: Members, frame: Frame | Promise<Frame>): number {
    const group = this.#group;
    if (frame instanceof Frame) {
      if (group === null && this.#share(members, frame)) return members.streams.length;
      group?.write(frame);
    }
    // The members report the failure.
    else if (group !== null) frame.then((rendered) => group.write(rendered)).catch(() => {});
    return deliver(members.streams, frame);
  }

  /** Sends a frame without touching any member before the end of the tick, if it only has to be written to each of them. */
  #share(members: Members, frame: Frame): boolean {
    settleOtherFanOut(members.sinks);
    const mark = fanOutMark();
    if (members.sharedSince !== mark) {
      if (!members.streams.every((stream) => stream.canShare)) return false;
      members.sharedSince = mark;
    }
    return fanOut(members.sinks, frame);
  }

  #release(stream: Stream): void {
    stream.unobserve(this.#observer);
    if (this.#group !== null) leaveGroup(stream, this.#group);
  }

  #list(): Members {
    if (this.#members === null) {
      const streams = Array.from(this, streamOf);
      const sinks = streams.map(({ sink }) => sink);
      const renders = [...new Set(streams.map(({ options }) => options.render))];
      this.#members = { streams, sinks, renders, sharedSince: Number.NaN };
    }
    return this.#members;
  }
}

function deliver(streams: readonly Stream[], frame: Frame | Promise<Frame>): number {
  let served = 0;
  for (const stream of streams) if (stream.deliver(frame)) served++;
  return served;
}

/** One frame for all, or one for each render function where members differ in it. */
function encodeForAll(
  renders: Members["renders"],
  type: string,
  data: unknown,
  options: EventOptions | undefined,
  events: AnyContract | undefined,
): Frame | Promise<Frame> | Map<Render | undefined, Frame | Promise<Frame>> {
  const value = events === undefined ? data : events.validateSync(type, data);
  const encode = (render?: Render): Frame | Promise<Frame> =>
    events === undefined
      ? encodeFrame(type, value, options, render)
      : encodeChecked(type, value, events, options, render);
  // Encoded without members too, so that data which cannot be written throws. Nothing renders a string.
  if (renders.length <= 1 || (events === undefined && typeof value === "string")) {
    return encode(renders[0]);
  }
  return new Map(renders.map((render) => [render, encode(render)]));
}

/** The members of a set, and what a dispatch needs of them. */
interface Members {
  readonly streams: readonly Stream[];
  readonly sinks: readonly Sink[];
  /** The different render functions. */
  readonly renders: readonly (Render | undefined)[];
  /** The `fanOutMark()` at which all of them could share a frame. */
  sharedSince: number;
}
