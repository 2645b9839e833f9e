// The checks of every option that a hub takes: when it is created, for a subscription, for a published event.
import {
  aBoolean,
  aCount,
  aDuration,
  aFunction,
  aGroup,
  allow,
  aName,
  anObjectWith,
  anything,
  aSize,
  checkOptions,
  type OptionChecks,
} from "../base/options.ts";
import { aCompress } from "../compression/options.ts";
import { aLog } from "../log/complete.ts";
import { responseChecks, streamChecks } from "../source/options.ts";
import type {
  ChannelOptions,
  HubOptions,
  Limits,
  PublishOptions,
  StreamControl,
  SubscribeOptions,
  TransactionOptions,
} from "./options.ts";
import { assertChannelList } from "./selection.ts";
import { assertControlEvent } from "./subscription/protocol.ts";

const limitChecks: OptionChecks<Limits> = {
  connections: aCount(0),
  connectionsPerKey: aCount(0),
  channels: aCount(0),
  eventSize: aSize,
  maxReplay: aCount(0),
  maxLifetime: aDuration,
  callbackTimeout: aDuration,
  logTimeout: aDuration,
  publishTimeout: aDuration,
  stallTimeout: aDuration,
};

const ringChecks: OptionChecks<NonNullable<HubOptions["ring"]>> = { maxEvents: aCount(1), maxBytes: aSize };

/** The checks of the options of `createHub()`. */
export const hubChecks: OptionChecks<HubOptions> = {
  ...streamChecks,
  log: aLog,
  name: aName,
  limits: aGroup(limitChecks),
  authorize: aFunction,
  reauthorize: aDuration,
  snapshot: aFunction,
  onLoss: aFunction,
  onError: aFunction,
  ring: aGroup(ringChecks),
  compress: aCompress,
  presence: anObjectWith(
    'presence() of sourcecast/presence, as in createHub({ presence: presence({ grace: "10s" }) })',
    "open",
  ),
};

/** The checks of the options of `hub.channel()`. */
export const channelChecks: OptionChecks<ChannelOptions> = { compress: aCompress };

const controlChecks: OptionChecks<StreamControl> = {
  end: (value, name) => {
    if (value !== false) assertControlEvent(value, name);
  },
  loss: aFunction,
};

/**
 * The checks of the options of a subscription, for an adapter that adds options of its own. They find the mistakes that only
 * an application can make: the hub reads the values that a client may have sent, such as `channels` and `sender`, together
 * with the request.
 */
export const subscribeChecks: OptionChecks<SubscribeOptions> = {
  ...responseChecks,
  channels: anything,
  join: anything,
  label: anything,
  forbidden: anything,
  rewind: anything,
  from: anything,
  filter: aFunction,
  sender: anything,
  key: anything,
  member: anything,
  control: aGroup(controlChecks),
  snapshot: aFunction,
  compress: aCompress,
  rejectOverload: aBoolean,
};

/**
 * Checks the options of a subscription as far as they are the application's own.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION`, or `ERR_SSE_CHANNEL` if the option `channels` is absent.
 */
export function checkSubscription(options: SubscribeOptions): void {
  checkOptions(options, subscribeChecks, "a subscription");
  // A parameter that the client has left out makes `undefined`, which is not absent.
  if (options === undefined || !("channels" in options)) assertChannelList(undefined);
}

/** The checks of the options of `channel.dispatch()`. */
export const publishChecks: OptionChecks<PublishOptions> = {
  key: aName,
  sender: aName,
  idempotencyKey: aName,
  after: anything,
};

/** The client is checked by the log. A transaction that is missing by mistake must not publish outside of it. */
export const transactionChecks: OptionChecks<Pick<TransactionOptions, "transaction">> = {
  transaction: allow(
    "the client on which a transaction was begun",
    (value) => (typeof value === "object" && value !== null) || typeof value === "function",
  ),
};

/** Type, data and cursor of an event are checked when it is encoded, with codes of their own. */
export const eventChecks: OptionChecks<PublishOptions & { type: string; data?: unknown }> = {
  ...publishChecks,
  type: anything,
  data: anything,
};

/** The checks of the options of `hub.drain()`. */
export const drainChecks: OptionChecks<{ within?: unknown }> = { within: aDuration };
