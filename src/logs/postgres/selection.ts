// Selections as the database takes them: names, and for each prefix the range of the names that begin with it.
import type { ChannelSelection } from "../../log/log.ts";
import { endOfPrefix } from "../../log/selection.ts";
import { encodeText } from "./text.ts";

/** `[low, high]`: the names from `low` on and before `high`, by code point. Without an end, `high` is `null`. */
export type Range = readonly [low: string, high: string | null];

/** A selection in a request. Names with half a character are those of no channel. */
export function selectionOf({ channels, prefixes }: ChannelSelection): { names: string[]; ranges: Range[] } {
  return {
    names: channels.filter((name) => name.isWellFormed()).map(encodeText),
    ranges: prefixes.flatMap((prefix) => rangeOf(prefix) ?? []),
  };
}

/**
 * The range of the names with a prefix, `undefined` for a prefix that no name can have. Names are stored encoded, character by
 * character, so an encoded prefix is a prefix of the encoded name.
 */
export function rangeOf(prefix: string): [Range] | undefined {
  if (prefix.isWellFormed()) return [[encodeText(prefix), endOfPrefix(encodeText(prefix))]];
  // A low surrogate without the high one before it is in no name.
  const half = prefix.charCodeAt(prefix.length - 1);
  if (!prefix.slice(0, -1).isWellFormed() || half >= 0xdc00) return undefined;
  const whole = encodeText(prefix.slice(0, -1));
  // Prefixes are cut by UTF-16 code units. The characters that begin with a high surrogate follow one another.
  const first = 0x10000 + (half - 0xd800) * 0x400;
  return [[whole + String.fromCodePoint(first), endOfPrefix(whole + String.fromCodePoint(first + 0x3ff))]];
}
