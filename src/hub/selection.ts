// Channel names and selections: which are valid, and which channels a subscription follows.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import type { ChannelSelection, Position } from "../log/log.ts";
import { parseCursor } from "../wire/cursor.ts";
import type { SubscribeOptions } from "./options.ts";

/** Longest name of a channel, in characters. */
const maxNameLength = 256;

/** How many names are kept with their selections: those of the channels that many clients follow alone. */
const maxKeptNames = 256;

/** Shared by all subscriptions that have none of something. */
const none: readonly string[] = [];

/** @throws {SourcecastTypeError} for a name on which events cannot be published. */
export function assertChannelName(name: string): void {
  assertName(name);
  if (name.endsWith("*")) {
    throw channelError(name, "ends in *, which follows all channels with that prefix", "dispatch to one channel");
  }
}

/** @throws {SourcecastTypeError} for an option `channels` that is not a list. */
export function assertChannelList(channels: unknown): void {
  if (!Array.isArray(channels)) throw channelsError(channels);
}

/**
 * Parses the option `channels`: names, and prefixes where a name ends in `*`. Names and prefixes that another prefix includes
 * are left out.
 *
 * @throws {SourcecastTypeError} for an empty list, and for an invalid name.
 */
export function parseSelection(channels: readonly string[]): ChannelSelection {
  if (channels.length === 0) throw channelsError(channels);
  for (const name of channels) assertName(name);
  const [first = ""] = channels;
  // The usual request names one channel: nothing in it can be double.
  if (channels.length === 1 && !first.endsWith("*")) return { channels: [first], prefixes: none };
  const prefixes = channels.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));
  const names = channels.filter((name) => !name.endsWith("*") && !prefixes.some((prefix) => name.startsWith(prefix)));
  const shortest = prefixes.filter((one) => !prefixes.some((other) => other !== one && one.startsWith(other)));
  return { channels: [...new Set(names)], prefixes: [...new Set(shortest)] };
}

/** The same string for selections of the same channels in the same order. Names have no line breaks. */
export function selectionKey({ channels, prefixes }: ChannelSelection): string {
  if (channels.length === 1 && prefixes.length === 0) return channels[0] as string;
  return prefixes.length === 0 ? channels.join("\n") : `${channels.join("\n")}\n*${prefixes.join("\n*")}`;
}

/**
 * Whether superseded entries are left out. With a filter or a sender, the entry that supersedes another one may not be for
 * this client: then it has to get the older one.
 */
export function conflates({ filter, sender }: Pick<SubscribeOptions, "filter" | "sender">): boolean {
  return filter === undefined && sender === undefined;
}

/**
 * Reads the option `from`.
 *
 * @throws {SourcecastTypeError} for anything but `"now"`, `"start"` and a cursor.
 */
export function parseFrom(from: string | undefined): "now" | "start" | Position {
  if (from === undefined || from === "now") return "now";
  if (from === "start") return from;
  const position = typeof from === "string" ? parseCursor(from) : null;
  if (position !== null) return position;
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option from is ${quote(from)}; it takes "now", "start", or a cursor that dispatch() or hub.cursor() returned`,
  );
}

/** True for a channel of the hub's own. No client can follow one: {@link assertChannelName} rejects its name. */
export function isInternal(channel: string): boolean {
  return channel.charCodeAt(0) < 0x20;
}

function assertName(name: string): void {
  const problem = nameProblem(name);
  if (problem !== null) throw channelError(name, ...problem);
}

/** Why a client can follow no channel of this name, or no prefix, and the remedy; `null` if it can. */
export function nameProblem(name: unknown): [found: string, remedy: string] | null {
  if (typeof name !== "string" || name === "") return ["is not a valid name", "pass a non-empty string"];
  if (name.length > maxNameLength) return [`is longer than ${maxNameLength} characters`, "use a shorter one"];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are invalid in a name
  if (/[\u0000-\u001f\u007f]/.test(name) || !name.isWellFormed()) {
    return ["has control characters or a lone surrogate", "use printable text"];
  }
  return name.slice(0, -1).includes("*") ? ["has a * inside", "a * may only be the last character"] : null;
}

function channelsError(channels: unknown): SourcecastTypeError {
  return new SourcecastTypeError(
    "ERR_SSE_CHANNEL",
    `The option channels is ${isEmptyList(channels) ? "an empty list" : quote(channels)}; pass a list of at least one channel name`,
  );
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function channelError(name: unknown, found: string, remedy: string): SourcecastTypeError {
  return new SourcecastTypeError("ERR_SSE_CHANNEL", `The channel name ${quote(name)} ${found}; ${remedy}`);
}

/**
 * Reads which channels a subscription asks for. A name that is both held and joining counts as held, because a client
 * that resumes misses nothing.
 *
 * @throws {SourcecastTypeError} if no channel is named, and for an invalid name.
 */
export function parseChannels({ channels, join = none, forbidden = none }: ChannelOptions): AskedChannels {
  if (channels.length === 1 && join.length === 0 && forbidden.length === 0) return parseOne(channels[0] as string);
  const joining = join.length === 0 ? none : join.filter((name) => !channels.includes(name));
  const all = [...channels, ...joining];
  // Everything may be forbidden: then there is a request nevertheless, and its response is 403.
  const selection = parseSelection(all.length === 0 ? forbidden : all);
  for (const name of forbidden) assertName(name);
  return { selection, channels: all, joining, forbidden };
}

const requestsByName = new Map<string, AskedChannels>();

/** A request for one channel or prefix. Most clients ask for what others have asked for, and share the answer. */
function parseOne(name: string): AskedChannels {
  const known = requestsByName.get(name);
  if (known !== undefined) return known;
  const channels = [name];
  const asked = { selection: parseSelection(channels), channels, joining: none, forbidden: none };
  if (requestsByName.size === maxKeptNames) requestsByName.clear();
  requestsByName.set(name, asked);
  return asked;
}

/** The same request for some of its channels. */
export function narrow<A extends AskedChannels>(asked: A, channels: readonly string[]): A {
  if (channels.length === asked.channels.length) return asked;
  return {
    ...asked,
    channels,
    joining: asked.joining.filter((name) => channels.includes(name)),
    forbidden: [...asked.forbidden, ...asked.channels.filter((name) => !channels.includes(name))],
    selection: channels.length === 0 ? asked.selection : parseSelection(channels),
  };
}

/** The channels that are not among the joining ones. */
export function heldOf({ channels, joining }: Pick<AskedChannels, "channels" | "joining">): readonly string[] {
  return joining.length === 0 ? channels : channels.filter((name) => !joining.includes(name));
}

/** The options that name channels. */
type ChannelOptions = Pick<SubscribeOptions, "channels" | "join" | "forbidden">;

/** The channels of a request. */
export interface AskedChannels {
  readonly selection: ChannelSelection;
  /** All names and prefixes, as they were asked for. */
  readonly channels: readonly string[];
  /** Those of them that start as for a new client, whatever position the client has. */
  readonly joining: readonly string[];
  /** Names and prefixes that were asked for and may not be read; not among the others. */
  readonly forbidden: readonly string[];
}

/** A request for channels, as its options say. */
export interface Subscribing extends AskedChannels {
  readonly options: SubscribeOptions;
  readonly from: "now" | "start" | Position;
}
