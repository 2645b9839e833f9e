// The first frame of a stream, which connections with the same keep-alive and the same reconnection time share.
import { Frame } from "../wire/frame.ts";
import { encodePreamble } from "../wire/preamble.ts";
import type { ResolvedOptions } from "./options.ts";

/** As many as are kept, 100 kB: a range of reconnection times has 256 values. */
const maxKept = 1_024;

const kept = new Map<string, Frame>();

/** Draws the reconnection time of a connection, and returns its opening. */
export function drawOpening({ retry, keepAlive, maxChannels }: ResolvedOptions): Frame {
  const time = retry();
  const key = `${time} ${keepAlive} ${maxChannels}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  const opening = Frame.of(encodePreamble(time, keepAlive, maxChannels));
  if (kept.size === maxKept) kept.clear();
  kept.set(key, opening);
  return opening;
}
