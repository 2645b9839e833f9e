// The checks of every option that a hub takes: when it is created, for a subscription, for a published event.
import {
  aBoolean,
  aCount,
  aDuration,
  aFunction,
  aGroup,
  aName,
  anObjectWith,
  anything,
  aSize,
  type OptionCheck,
  type OptionChecks,
} from "../base/options.ts";
import { responseChecks, streamChecks } from "../source/options.ts";
import type { HubOptions, Limits, PublishOptions, SubscribeOptions } from "./options.ts";
import { parseFrom } from "./selection.ts";

const limitChecks: OptionChecks<Limits> = {
  connections: aCount(0),
  connectionsPerKey: aCount(0),
  channels: aCount(0),
  eventSize: aSize,
  maxReplay: aCount(0),
  maxLifetime: aDuration,
  callbackTimeout: aDuration,
  logTimeout: aDuration,
  stallTimeout: aDuration,
};

const ringChecks: OptionChecks<NonNullable<HubOptions["ring"]>> = { maxEvents: aCount(1), maxBytes: aSize };

/** By its methods: an application's log need not extend a class. */
const aLog: OptionCheck = anObjectWith("a log such as memoryLog()", "append", "head", "read", "tail", "close");

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
  presence: anObjectWith(
    'presence() of sourcecast/presence, as in createHub({ presence: presence({ grace: "10s" }) })',
    "open",
  ),
};

/**
 * The checks of the options of a subscription, for an adapter that adds options of its own. Channel names and the member
 * are checked where they are read, with codes of their own.
 */
export const subscribeChecks: OptionChecks<SubscribeOptions> = {
  ...responseChecks,
  channels: anything,
  rewind: aCount(0),
  from: (value) => void parseFrom(value as string),
  filter: aFunction,
  sender: aName,
  key: aName,
  member: anything,
  snapshot: aFunction,
  rejectOverload: aBoolean,
};

/** The checks of the options of `channel.dispatch()`. */
export const publishChecks: OptionChecks<PublishOptions> = {
  key: aName,
  sender: aName,
  idempotencyKey: aName,
  after: anything,
};

/** Type, data and cursor of an event are checked when it is encoded, with codes of their own. */
export const eventChecks: OptionChecks<PublishOptions & { type: string; data?: unknown }> = {
  ...publishChecks,
  type: anything,
  data: anything,
};

/** The checks of the options of `hub.drain()`. */
export const drainChecks: OptionChecks<{ within?: unknown }> = { within: aDuration };
