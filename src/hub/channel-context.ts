// The part of a hub that its channels use.
import type { RequestLike } from "../http/request.ts";

import { clearType } from "../log/cleared.ts";
import type { Position } from "../log/log.ts";
import type { SubscriberCount } from "./lifetime/no-subscribers.ts";
import type { LogDeadline } from "./log-deadline.ts";
import type { OnError, SubscribeOptions } from "./options.ts";
import type { HubPresence, Member } from "./presence.ts";
import type { PublishedEvent, Publisher } from "./publish.ts";
import type { ReadTarget } from "./reader/channel-iterator.ts";
import type { ReaderContext } from "./reader/context.ts";
import { parseSelection } from "./selection.ts";
import type { SubscriptionContext } from "./subscription/subscription.ts";

/** Every use of a closed hub throws. */
export function channelContext({
  publisher,
  presence,
  context,
  closing,
  response,
  assertOpen,
}: HubParts): ChannelContext {
  const { locator, feed, deadline, subscribers, contract, onError } = context;
  const openThen = <T>(value: () => T): T => {
    assertOpen();
    return value();
  };
  return {
    response,
    publish: async (channel, events) => openThen(() => publisher.publish(channel, events)),
    publishIn: async (transaction, channel, events) => {
      return openThen(() => publisher.publishIn(transaction, channel, events));
    },
    end: async (channel) => openThen(() => publisher.end(channel)),
    clear: async (channel) => openThen(() => publisher.clear(channel)),
    members: async (channel) => openThen(() => presence.members(channel)),
    readTarget: (name) => openThen(() => ({ name, selection: parseSelection([name]), contract, context })),
    endOf: async (name) => {
      assertOpen();
      const selection = parseSelection([name]);
      await feed.start();
      const { head, answer } = await locator.ask({ cursor: null, selection });
      const [end] = answer.ends;
      if (end !== undefined) return { epoch: head.epoch, offset: end.offset, witness: end.witness };
      const last = await deadline.limit(feed.log.last(1, selection), "log.last()");
      return last.length === 0 || last[0]?.type === clearType ? "empty" : "open";
    },
    subscribers: subscribers.channels,
    closing,
    onError,
  };
}

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

/** The hub, as far as its channels use it. */
interface HubParts extends Pick<ChannelContext, "response" | "closing"> {
  readonly publisher: Publisher;
  readonly presence: HubPresence;
  readonly context: SubscriptionContext & ReaderContext & { readonly deadline: LogDeadline };
  assertOpen(): void;
}
