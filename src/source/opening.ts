// The first frame of a stream, which connections with the same keep-alive and the same reconnection time share.
import { Frame } from "../wire/frame.ts";
import { encodePreamble } from "../wire/preamble.ts";
import type { ResolvedOptions } from "./options.ts";

/** As many as are kept of one kind: a range of reconnection times has 256 values. */
const maxKept = 256;

/** As many kinds as are kept: 1 MB at most, with what is joined to the openings. */
const maxKinds = 8;

const kinds = new Map<string, Openings>();
let last: Openings | null = null;

/** Draws the reconnection time of a connection, and returns its opening. */
export function drawOpening({ retry, keepAlive, maxChannels }: ResolvedOptions): Frame {
  // Most streams of a process have the options of the one before.
  const openings =
    last?.keepAlive === keepAlive && last.maxChannels === maxChannels ? last : openingsOf(keepAlive, maxChannels);
  last = openings;
  const { byTime } = openings;
  const time = retry();
  const known = byTime.get(time);
  if (known !== undefined) return known;
  const opening = Frame.lasting(encodePreamble(time, keepAlive, maxChannels));
  if (byTime.size === maxKept) byTime.clear();
  byTime.set(time, opening);
  return opening;
}

function openingsOf(keepAlive: number, maxChannels: number): Openings {
  const key = `${keepAlive} ${maxChannels}`;
  const known = kinds.get(key);
  if (known !== undefined) return known;
  const openings = { keepAlive, maxChannels, byTime: new Map<number, Frame>() };
  if (kinds.size === maxKinds) kinds.clear();
  kinds.set(key, openings);
  return openings;
}

/** The openings of one kind, by reconnection time. */
interface Openings {
  readonly keepAlive: number;
  readonly maxChannels: number;
  readonly byTime: Map<number, Frame>;
}
