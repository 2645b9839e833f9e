// The part of a hub that its channels use.
import type { RequestLike } from "../http/request.ts";
import type { Position } from "../log/log.ts";
import type { SubscriberCount } from "./lifetime/no-subscribers.ts";
import type { OnError, SubscribeOptions } from "./options.ts";
import type { Member } from "./presence.ts";
import type { PublishedEvent } from "./publish.ts";
import type { ReadTarget } from "./reader/channel-iterator.ts";

/** The part of the hub that a channel uses. */
export interface ChannelContext {
  response(request: RequestLike, options: SubscribeOptions): Promise<Response>;
  publish(channel: string, events: readonly PublishedEvent[]): Promise<string[]>;
  publishIn(transaction: object, channel: string, events: readonly PublishedEvent[]): Promise<undefined>;
  end(channel: string): Promise<string>;
  clear(channel: string): Promise<string | null>;
  members(channel: string): Promise<Member[]>;
  /** A channel or prefix to read. */
  readTarget(name: string): ReadTarget;
  /** The position of the end of a channel that has ended, or the state of any other one. */
  endOf(channel: string): Promise<Position | "empty" | "open">;
  readonly subscribers: SubscriberCount;
  /** Aborted when the hub is closed. */
  readonly closing: AbortSignal;
  readonly onError: OnError;
}
