// The keys of one log in Redis. All of them are in one hash slot.
import { quote, SourcecastTypeError } from "../../base/errors.ts";

/** In the order in which every script takes them; `prelude.ts` gives them the same names. */
const names = [
  // Hash: where the log stands, and which processes use it.
  "head",
  // Stream: the retained entries, with ids `<offset>-<witness>`.
  "entries",
  // Sorted set: the names of channels, in their order, to find those with a prefix.
  "channels",
  // Sorted set: the offset of each channel's newest entry, retained or not.
  "last",
  // Sorted set: the offset of the end marker of each channel that has ended.
  "ended",
  // Sorted set: the highest offset that each channel has lost, of entries without a key.
  "trimmed",
  // Sorted set: the keys of all channels, in their order.
  "keys",
  // Hash: the offset of the newest entry of each key.
  "newest",
  // Hash: the newest entry of each key, once retention has taken it from the stream.
  "kept",
  // Hash: the positions of entries with an idempotency key; sorted set: when they were appended.
  "ids",
  "idTimes",
  // Hash: the last call of each process, and its answer, to recognize a call that is sent again.
  "calls",
  // Hash: the witnesses of trimmed entries, in blocks.
  "witnesses",
  // Sorted set: the highest offset that each channel has lost, of entries with a key that a newer one superseded.
  "gone",
  // Stream: the copy of the entries while a channel is being cleared, none at other times.
  "copy",
] as const;

/** The place of the stream among the keys. */
const entriesIndex = names.indexOf("entries");

/** A hash tag, as Redis finds it: the text between the first `{` and the next `}`. */
const hashTag = /\{[^{}]+\}/;

/** The keys of a log, all in one slot of a cluster, in the order of the scripts. */
export function keysOf(key: string): string[] {
  // A tag of the application's own keeps the log in one slot with its other keys.
  const base = hashTag.test(key) ? key : `{${key}}`;
  return names.map((name) => `${base}:${name}`);
}

/** The key of the stream. */
export function entriesKey(keys: readonly string[]): string {
  return keys[entriesIndex] as string;
}

/** Throws for a name that cannot be the key of a log. */
export function checkKey(key: unknown): void {
  const isPlain = typeof key === "string" && key !== "" && (!/[{}]/.test(key) || hashTag.test(key));
  if (isPlain) return;
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option key is ${quote(key)}; it takes the name under which the log is stored, such as "events", in which braces ` +
      "are allowed only as a hash tag such as {app}:events",
  );
}
