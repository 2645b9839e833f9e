// `log.clear()`: erases a channel with one statement.
import { clearEntry } from "../../log/cleared.ts";
import { makeWitness } from "../../log/identity.ts";
import type { Appended } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { encodeText } from "./text.ts";

/** Calls the function `clear` with a request, and resolves with its answer. */
export type Clear = (request: string) => Promise<string>;

/**
 * Resolves with the position of the entry that records the clearing, `null` for a channel without entries.
 *
 * No statement finds the data any more. The server itself keeps old versions of rows in its files until they are
 * vacuumed, and in its write-ahead log until that is recycled: docs/logs.md says how to remove them.
 */
export async function clearChannel(channel: string, clear: Clear): Promise<Appended | null> {
  const witness = makeWitness();
  const longest = clearEntry(channel, { from: Number.MAX_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER });
  const answer = await clear(JSON.stringify({ channel: encodeText(channel), witness, weight: weightOf(longest) }));
  if (answer === "") return null;
  const [epoch, offset] = JSON.parse(answer) as [epoch: string, offset: number];
  return { epoch, offset, witness };
}
