// A selection as arguments of scripts.
import type { ChannelSelection } from "../../log/log.ts";
import { type ChannelMatcher, compileSelection } from "../../log/selection.ts";

/** Names and prefixes as Redis finds them, and the test that entries have to pass afterwards. */
export interface SelectionArgs {
  readonly names: readonly string[];
  readonly prefixes: readonly string[];
  readonly matches: ChannelMatcher;
}

/** The arguments for a selection, for all channels without one. A channel or prefix that was named twice counts once. */
export function selectionArgs(selection: ChannelSelection | undefined): SelectionArgs {
  // Without a selection, no names are passed: the script is told that all channels are meant.
  const { channels = [], prefixes = [] } = selection ?? {};
  return {
    names: [...new Set(channels)],
    prefixes: [...new Set(prefixes.map(wholeCharacters))],
    matches: compileSelection(selection),
  };
}

/**
 * The contract cuts prefixes by UTF-16 code units, but Redis holds UTF-8, where half of a pair would match no name: the prefix
 * without it finds some channels too many.
 */
export function wholeCharacters(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? prefix.slice(0, -1) : prefix;
}
