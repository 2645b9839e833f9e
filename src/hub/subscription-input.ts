// The options of a subscription that may come from its client: their checks, and whose mistake a wrong value is.
import {
  aBoolean,
  aCount,
  aGroup,
  allow,
  aName,
  anything,
  aString,
  checkOption,
  type OptionCheck,
  type OptionChecks,
  optionError,
} from "../base/options.ts";
import { mayHaveSent, type RequestLike } from "../http/request.ts";
import type { SubscribeOptions } from "./options.ts";
import type { HubPresence } from "./presence.ts";
import { assertChannelList, parseChannels, parseFrom, type Subscribing } from "./selection.ts";

const aRewind: OptionCheck = aCount(0);
const aList: OptionCheck = allow("a list of channel names", Array.isArray);

/** The types of the options whose values applications take from a request. A repeated parameter makes a list of a string. */
const sentChecks: OptionChecks<SentOptions> = {
  channels: assertChannelList,
  join: aList,
  forbidden: aList,
  label: aBoolean,
  from: aString,
  rewind: aRewind,
  sender: aString,
  key: aString,
  member: aGroup({ id: anything, data: anything }),
};

/**
 * Reads the options of a subscription. Every connection comes through here, so each value is checked once.
 *
 * @param presence Checks and copies the member.
 * @throws {SourcecastError} for a value that is not valid: see {@link assertSent}.
 */
export function readSubscription(given: SubscribeOptions, presence: Pick<HubPresence, "check">): Subscribing {
  assertChannelList(given.channels);
  checkOption(given.join, aList, "join");
  checkOption(given.forbidden, aList, "forbidden");
  checkOption(given.label, aBoolean, "label");
  assertNoLabel(given);
  const { selection, channels, joining, forbidden } = parseChannels(given);
  const from = parseFrom(given.from);
  checkOption(given.rewind, aRewind, "rewind");
  checkOption(given.sender, aName, "sender");
  checkOption(given.key, aName, "key");
  const { member } = given;
  const options = member === undefined ? given : { ...given, member: presence.check(member) };
  return { selection, channels, joining, forbidden, from, options };
}

/**
 * Tells the mistakes of the application from those of the client, after {@link readSubscription} has thrown: a value of the
 * wrong type that the request cannot have contained is the application's own. Everything else may be the client's, and must
 * not throw in the application.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION`, or `ERR_SSE_CHANNEL` for `channels`.
 */
export function assertSent(given: SubscribeOptions, request: RequestLike): void {
  for (const name of Object.keys(sentChecks) as (keyof SentOptions)[]) {
    if (!mayHaveSent(request, given[name])) checkOption(given[name], sentChecks[name], name);
  }
  if (!mayHaveSent(request, given.label)) assertNoLabel(given);
}

function assertNoLabel({ control, label }: SubscribeOptions): void {
  if (control === undefined || label !== true) return;
  throw optionError("label", label, "false together with the option control: another protocol has no channels");
}

type SentOptions = Pick<
  SubscribeOptions,
  "channels" | "join" | "forbidden" | "label" | "from" | "rewind" | "sender" | "key" | "member"
>;
