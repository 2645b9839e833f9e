// Which channels a reader follows: the one definition of "is selected" and "has the prefix", for every log and the hub.
import type { ChannelSelection } from "./log.ts";

/** Tells whether a channel is one of a selection. Made once, asked for each entry. */
export type ChannelMatcher = (channel: string) => boolean;

/**
 * A matcher for a selection; without one, it matches all channels. It looks the name up once, and once for each length
 * of a prefix, however many prefixes there are.
 */
export function compileSelection(selection?: ChannelSelection): ChannelMatcher {
  if (selection === undefined) return () => true;
  const { channels, prefixes } = selection;
  const [channel] = channels;
  const [prefix] = prefixes;
  if (channels.length === 1 && prefixes.length === 0) return (name) => name === channel;
  if (channels.length === 0 && prefixes.length === 1) return (name) => hasPrefix(name, prefix as string);
  const names = new Set(channels);
  if (prefixes.length === 0) return (name) => names.has(name);
  const known = new Set(prefixes);
  const lengths = [...new Set(prefixes.map(({ length }) => length))].sort((a, b) => a - b);
  return (name) => names.has(name) || lengths.some((length) => known.has(name.slice(0, length)));
}

/** True when the selection has the channel. For many channels, {@link compileSelection} is faster. */
export function selects(selection: ChannelSelection | undefined, channel: string): boolean {
  if (selection === undefined) return true;
  return selection.channels.includes(channel) || selection.prefixes.some((prefix) => hasPrefix(channel, prefix));
}

/** The meaning of "begins with the prefix": by UTF-16 code units, as `startsWith` has it. Case and normalization count. */
export function hasPrefix(channel: string, prefix: string): boolean {
  return channel.startsWith(prefix);
}

/**
 * The end of a prefix in a store that orders text by code point (UTF-8 bytes): exactly the names with the prefix are at or
 * after it and before this text. `null` when nothing is after them.
 *
 * @example
 * ```ts
 * import { endOfPrefix } from "sourcecast/log";
 *
 * console.log(endOfPrefix("orders/")); // orders0
 * console.log(endOfPrefix("")); // null
 * ```
 */
export function endOfPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  // Nothing is after U+10FFFF: names that begin with it end where those of the rest of the prefix do.
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return null;
  // Surrogates are not characters: no well-formed name has one.
  points.push(last === 0xd7ff ? 0xe000 : last + 1);
  return String.fromCodePoint(...points);
}
