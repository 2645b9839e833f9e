// How a hub serves its channels.

import { clearType } from "../log/cleared.ts";
import type { ChannelContext } from "./channel-context.ts";
import type { LogDeadline } from "./log-deadline.ts";
import type { HubPresence } from "./presence.ts";
import type { Publisher } from "./publish.ts";
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

/** The hub, as far as its channels use it. */
interface HubParts extends Pick<ChannelContext, "response" | "closing"> {
  readonly publisher: Publisher;
  readonly presence: HubPresence;
  readonly context: SubscriptionContext & ReaderContext & { readonly deadline: LogDeadline };
  assertOpen(): void;
}
