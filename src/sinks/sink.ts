// The contract of a sink: how bytes leave for one client. A sink knows nothing about events.
import { now } from "../base/clock.ts";
import type { EarlyResponse } from "../http/early-response.ts";
import type { HeaderFields, HeaderOverrides } from "../http/headers.ts";
import type { Frame } from "../wire/frame.ts";
import { changeFanOutMark, flushFanOut, maxSharedBytes, settleFanOut } from "./fan-out.ts";
import { flushAtEndOfTick } from "./flush.ts";

/** Bytes that may wait for a client before a producer that can wait must wait. */
export const highWaterMark: number = 64 * 1024;

/** Creates the header of the stream when it is needed. `preset` are the fields that the response already has; others override them. */
export type HeaderSource = (preset?: HeaderOverrides) => HeaderFields;

/** The owner of a sink, which the sink notifies. */
export interface SinkOwner {
  /** The path of the request, for messages. */
  readonly path: string;
  /** The client has disconnected, or cannot be reached. Never called after `end` or `abort`. */
  onGone(): void;
  /** A sink that was full has room again. */
  onDrain(): void;
  /** No reader has taken a byte of the body, and none will. */
  onUnread(): void;
}

/** A content coding: how the bytes of a response are written (RFC 9110, section 8.4). */
export interface ContentCoding {
  /** Encodes frames that leave now. */
  encode(frame: Frame): Frame;
  /** Encodes the last frames, if there are any, and the end of the coding. */
  end(frame: Frame | null): Frame;
}

/**
 * How bytes leave for one client. A sink knows nothing about events. Everything that is written within a tick leaves in one
 * piece at its end; a frame is never cut.
 */
export abstract class Sink {
  /** When bytes last left, in the time of `now()`. */
  lastSent = 0;
  /** The owner, from `start` on. */
  protected owner: SinkOwner | null = null;
  /** Frames that are written at the end of the tick, or when there is room. */
  protected pending: Frame | null = null;
  #coding: ContentCoding | null = null;
  #scheduled = false;

  /** Written bytes that neither the operating system nor the reader of the body has accepted yet. */
  get bufferedAmount(): number {
    settleFanOut();
    return (this.pending?.byteLength ?? 0) + this.queued;
  }

  /** True if the client had disconnected before anything was sent. */
  abstract get gone(): boolean;

  /** True if the connection carries so many streams that this one has to be rejected. */
  get crowdedOut(): boolean {
    return false;
  }

  /** True while the body can still get a content coding: until its header is made, on sinks that support one. */
  get canBeCoded(): boolean {
    return false;
  }

  /** Encodes the body. The caller adds the coding to the header that is being made. */
  set coding(coding: ContentCoding) {
    this.#coding = coding;
  }

  /** True while the client reads more slowly than it is sent to; `onDrain` follows. */
  get full(): boolean {
    settleFanOut();
    return this.blocked || (this.pending !== null && this.pending.byteLength >= highWaterMark);
  }

  /**
   * Calls `callback` if the client disconnects before the stream has started.
   *
   * @returns A function that removes the callback.
   */
  abstract onceGone(callback: () => void): () => void;

  /**
   * A number that changes whenever the client has read something, at the finest grain that the platform shows. It
   * distinguishes a slow reader from a stalled one.
   */
  get progressMark(): number {
    return this.bufferedAmount;
  }

  /**
   * Opens the response, with `opening` as its first bytes.
   *
   * @param isHeaderLate Makes the header only when it is needed, at the end of the tick at the latest, because it
   * depends on what happens until then.
   */
  abstract start(owner: SinkOwner, opening: Frame, headers: HeaderSource, isHeaderLate?: boolean): void;

  /** Sends a response other than a stream. */
  abstract refuse(answer: EarlyResponse): void;

  /** Writes a frame. It leaves at the end of the tick, together with the other frames of the tick. */
  write(frame: Frame): void {
    settleFanOut();
    this.#append(frame);
  }

  /** True if it takes all that a set may keep for its members until the end of the tick. */
  get canShare(): boolean {
    return !this.blocked && (this.pending === null || this.pending.byteLength < maxSharedBytes);
  }

  /** Writes a frame and flushes it, in one step. With frames of this sink's own, it leaves when those are flushed. */
  flushWith(frame: Frame, time: number): void {
    if (this.pending !== null) {
      this.#append(frame);
    } else {
      this.pending = frame;
      this.#forward(frame, time, false);
    }
  }

  /** Reads what a flush is about to read: see `PrefetchableSink`. */
  prefetch(): number {
    return 0;
  }

  /** Sends pending frames now, if the platform accepts them. */
  flush(time: number): void {
    flushFanOut(time);
    this.#scheduled = false;
    if (this.pending !== null) this.#forward(this.pending, time, this.pending.byteLength >= highWaterMark);
  }

  /** Sends pending frames, then ends the response. Resolves when everything has left this process, or never will. */
  abstract end(): Promise<void>;

  /** Drops pending frames and closes the connection. */
  abstract abort(): void;

  /** Makes sure that `flush` is called at the end of this tick. */
  protected schedule(): void {
    flushAtEndOfTick(this);
  }

  /** Called by a subclass when the platform has room again. Frames that waited go first, and may fill it at once. */
  protected resume(): void {
    if (this.pending === null) this.owner?.onDrain();
    else this.#forward(this.pending, now(), true);
  }

  /** Bytes that the platform has accepted but not sent. */
  protected abstract get queued(): number;

  /** True while the platform accepts no bytes. */
  protected abstract get blocked(): boolean;

  /** Passes a frame to the platform. False leaves it pending; it is not returned where the platform is not `blocked`. */
  protected abstract send(frame: Frame): boolean;

  /** Called before the first frame is sent: the header cannot be later. */
  protected makeHeader(): void {}

  /** Takes what is left to send before the end, if there is anything. */
  protected takeLast(): Frame | null {
    const { pending } = this;
    this.pending = null;
    return this.#coding === null ? pending : this.#coding.end(pending);
  }

  #append(frame: Frame): void {
    this.pending = this.pending === null ? frame : this.pending.join(frame);
    if (this.pending.byteLength >= maxSharedBytes) changeFanOutMark();
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.schedule();
  }

  /** @param wasFull Whether a producer may be waiting for `onDrain`: it follows unless this frame fills the platform again. */
  #forward(frame: Frame, time: number, wasFull: boolean): void {
    // A coding is asked for bytes once, and they leave then.
    if (this.owner === null || this.blocked) return;
    try {
      this.makeHeader();
      if (!this.send(this.#coding === null ? frame : this.#coding.encode(frame))) return;
    } catch {
      // A failed write counts as a disconnect, and must not affect other connections.
      this.owner.onGone();
      return;
    }
    this.pending = null;
    this.lastSent = time;
    if (this.blocked) changeFanOutMark();
    if (wasFull && !this.blocked) this.owner?.onDrain();
  }
}
