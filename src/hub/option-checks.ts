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
  aString,
  checkOption,
  checkOptions,
  type OptionCheck,
  type OptionChecks,
  optionError,
} from "../base/options.ts";
import { aCompress } from "../compression/options.ts";
import { mayHaveSent, type RequestLike } from "../http/request.ts";
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
import type { HubPresence } from "./presence.ts";
import { assertChannelList, parseChannels, parseFrom, type Subscribing } from "./selection.ts";
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

const aRewind: OptionCheck = aCount(0);
const aList: OptionCheck = allow("a list of channel names", Array.isArray);

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
 * The checks of the options of a subscription that find a mistake of the application, for an adapter that adds options of its
 * own. The values that a client may have sent, such as a name from the address, are checked here for their type alone: see
 * {@link readSubscription}.
 */
export const subscribeChecks: OptionChecks<SubscribeOptions> = {
  ...responseChecks,
  channels: assertChannelList,
  join: aList,
  label: aBoolean,
  forbidden: aList,
  rewind: allow("a number", (value) => typeof value === "number"),
  from: aString,
  filter: aFunction,
  sender: aString,
  key: aString,
  member: aGroup({ id: anything, data: anything }),
  control: aGroup(controlChecks),
  snapshot: aFunction,
  compress: aCompress,
  rejectOverload: aBoolean,
};

/**
 * Checks the options of a subscription as far as they are the application's own: a mistake is thrown to it.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION`, or `ERR_SSE_CHANNEL` for `channels`.
 */
export function checkSubscription(options: SubscribeOptions, request: RequestLike): void {
  // The one option that cannot be absent.
  if (options?.channels === undefined) assertChannelList(undefined);
  checkOptions(options, subscribeChecks, "a subscription");
  const { rewind, control, label } = options;
  if (control !== undefined && label === true) {
    throw optionError("label", label, "false together with the option control: another protocol has no channels");
  }
  if (rewind !== undefined && !mayHaveSent(request, rewind)) checkOption(rewind, aRewind, "rewind");
}

/**
 * Reads the options of a subscription, after {@link checkSubscription}.
 *
 * @param presence Checks and copies the member.
 * @throws {SourcecastError} for a value that a client may have sent, and that is not valid.
 */
export function readSubscription(given: SubscribeOptions, presence: Pick<HubPresence, "check">): Subscribing {
  const { selection, channels, joining, forbidden } = parseChannels(given);
  const from = parseFrom(given.from);
  checkOption(given.rewind, aRewind, "rewind");
  checkOption(given.sender, aName, "sender");
  checkOption(given.key, aName, "key");
  const { member } = given;
  const options = member === undefined ? given : { ...given, member: presence.check(member) };
  return { selection, channels, joining, forbidden, from, options };
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
