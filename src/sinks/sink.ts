// The contract of a sink: how bytes leave for one client. A sink knows nothing about events.
import { now } from "../base/clock.ts";
import type { EarlyResponse } from "../http/early-response.ts";
import type { HeaderFields, HeaderOverrides } from "../http/headers.ts";
import type { Frame } from "../wire/frame.ts";
import { flushAtEndOfTick } from "./flush.ts";

/** From so many bytes on that a client has not taken, a producer that can wait is asked to wait. */
export const highWaterMark: number = 64 * 1024;

/** The header of the stream, made when it is needed; `preset` is what the response had before, under what was asked for. */
export type HeaderSource = (preset?: HeaderOverrides) => HeaderFields;

/** What a sink tells the one who opened it. */
export interface SinkOwner {
  /** The path that was asked for, for messages. */
  readonly path: string;
  /** The client left, or the bytes cannot reach it any more. Never called after `end` or `abort`. */
  onGone(): void;
  /** A sink that was full has room again. */
  onDrain(): void;
  /** Nobody has taken a byte, and nobody will. */
  onUnread(): void;
}

/**
 * How bytes leave for one client. Knows nothing of events. All that is written within a tick leaves in one piece at its
 * end; a frame is never cut.
 */
export abstract class Sink {
  /** When bytes last left, in the time of `now()`. */
  lastSent = 0;
  protected owner: SinkOwner | null = null;
  protected pending: Frame | null = null;
  #scheduled = false;

  /** Bytes written here that neither the operating system nor the reader of the body has taken yet. */
  get bufferedAmount(): number {
    return (this.pending?.byteLength ?? 0) + this.queued;
  }

  /** The client had left before anything was sent. */
  abstract get gone(): boolean;

  /** True if the connection carries so many streams that this one has to be rejected. */
  get crowdedOut(): boolean {
    return false;
  }

  /** True while the client takes less than it is sent; `onDrain` follows. */
  get full(): boolean {
    return this.blocked || (this.pending !== null && this.pending.byteLength >= highWaterMark);
  }

  /**
   * Calls back when the client leaves before the stream has started.
   *
   * @returns Removes the callback.
   */
  abstract onceGone(callback: () => void): () => void;

  /**
   * A number that changes whenever the client has taken something, at the finest grain that the platform shows: it tells a
   * slow reader from one that has stopped.
   */
  get progressMark(): number {
    return this.bufferedAmount;
  }

  /** Opens the response, with `opening` as its first bytes. */
  abstract start(owner: SinkOwner, opening: Frame, headers: HeaderSource): void;

  /** Answers with something other than a stream. */
  abstract refuse(answer: EarlyResponse): void;

  write(frame: Frame): void {
    this.pending = this.pending === null ? frame : this.pending.join(frame);
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.schedule();
    }
  }

  /** Sends what is pending now, if what lies below takes it. */
  flush(time: number): void {
    this.#scheduled = false;
    if (this.pending !== null) this.#forward(this.pending, time, this.pending.byteLength >= highWaterMark);
  }

  /** Sends what is pending, then ends the response. Resolves when it has left this process or never will. */
  abstract end(): Promise<void>;

  /** Drops what is pending and lets the client go. */
  abstract abort(): void;

  /** Has `flush` called at the end of this tick. */
  protected schedule(): void {
    flushAtEndOfTick(this);
  }

  /** What lies below has room again. */
  protected resume(): void {
    if (this.pending === null) this.owner?.onDrain();
    else this.#forward(this.pending, now(), true);
  }

  /** Bytes that were sent from here and wait further down. */
  protected abstract get queued(): number;

  /** True while what lies below takes no more. */
  protected abstract get blocked(): boolean;

  /** Passes bytes on; false leaves them pending. */
  protected abstract send(frame: Frame): boolean;

  #forward(frame: Frame, time: number, wasFull: boolean): void {
    if (this.owner === null) return;
    try {
      if (!this.send(frame)) return;
    } catch {
      // What cannot be written to is gone for us. One connection's failure is nobody else's.
      this.owner.onGone();
      return;
    }
    this.pending = null;
    this.lastSent = time;
    if (wasFull && !this.blocked) this.owner?.onDrain();
  }
}
