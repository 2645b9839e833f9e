import type { IdleTarget } from "../sinks/idle-timer.ts";
import type { Sink, SinkOwner } from "../sinks/sink.ts";
import type { AnyContract } from "../wire/contract.ts";
import { Frame } from "../wire/frame.ts";
import type { Render } from "./event.ts";
import type { EventSource } from "./source.ts";

// biome-ignore lint/suspicious/noExplicitAny: a source of any contract
export type AnySource = EventSource<any>;

/** Who sends through a source, such as a set or a subscription, and is told of what happens to it. */
export interface StreamObserver {
  onClose(source: AnySource, reason: string): void;
  /** A source whose reader lagged has room again. */
  onDrain?(source: AnySource): void;
  /** What to send after a silence in place of the empty comment. */
  onIdle?(source: AnySource): Frame | null;
}

/** What the rest of the core may do with a source, and applications may not. Filled in by the class itself. */
export interface Friend {
  /** Sends a frame that is encoded already; false once closed or where it does not fit. */
  deliver(source: AnySource, frame: Frame): boolean;
  /** Sends a frame whatever waits already: for one who minds `isFull` himself. */
  write(source: AnySource, frame: Frame): void;
  /** True while the client takes less than it is sent. */
  isFull(source: AnySource): boolean;
  follow(source: AnySource, follower: StreamObserver): void;
  unfollow(source: AnySource, follower: StreamObserver): void;
  render(source: AnySource): Render | undefined;
  contract(source: AnySource): AnyContract | undefined;
  heartbeat(source: AnySource): Frame | null;
  gone(source: AnySource): void;
  drained(source: AnySource): void;
}

export const friend: Friend = {} as Friend;

const emptyComment = Frame.of(":\n\n");

/** What the sink and the heartbeat know of a source: an object of its own, so that applications do not see it. */
export class Line implements SinkOwner, IdleTarget {
  readonly idleAfter: number;
  readonly #source: AnySource;
  readonly #sink: Sink;

  constructor(source: AnySource, sink: Sink, silence: number) {
    this.#source = source;
    this.#sink = sink;
    this.idleAfter = silence;
  }

  get lastSent(): number {
    return this.#sink.lastSent;
  }

  get path(): string {
    // Without the query, in which clients may have to put their secrets.
    return this.#source.url.replace(/^[a-z]+:\/\/[^/?#]*|[?#].*$/gs, "");
  }

  onIdle(time: number): void {
    // A client that has bytes to read hears from us without a heartbeat.
    if (this.#sink.bufferedAmount === 0) this.#sink.write(friend.heartbeat(this.#source) ?? emptyComment);
    this.#sink.lastSent = time;
  }

  onGone(): void {
    friend.gone(this.#source);
  }

  onDrain(): void {
    friend.drained(this.#source);
  }

  onUnread(): void {
    this.#source.close("unread");
  }
}
