// Reconnection times: fixed, or drawn from a range for each connection.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { type Duration, milliseconds } from "../base/units.ts";

/**
 * The reconnection time of a client: fixed, or a range `[from, to]` from which each connection draws its own. A range keeps
 * the clients of a restarted server from reconnecting all at once.
 */
export type Retry = Duration | readonly [from: Duration, to: Duration];

/** About as long as the constant 3 or 5 seconds of browsers, but spread out. */
export const defaultRetry: Retry = [2_000, 6_000];
/** For clients that are rejected because a limit is reached or the server is stopping. */
export const overloadRetry: Retry = [5_000, 30_000];

/** The most values that are drawn from a range. */
const maxDrawn = 256;

/** Checks the option once, and returns a function that draws a time in milliseconds. */
export function resolveRetry(retry: Retry): () => number {
  const [from, to] = typeof retry === "object" && retry !== null ? [retry[0], retry[1]] : [retry, retry];
  const least = Math.round(milliseconds(from, "retry"));
  const most = Math.round(milliseconds(to, "retry"));
  // Evenly spread, and few enough for connections to share the openings that carry them.
  const steps = Math.min(most - least, maxDrawn - 1);
  const step = steps === 0 ? 0 : (most - least) / steps;
  if (least > 0 && most >= least) return () => least + Math.round(Math.floor(Math.random() * (steps + 1)) * step);
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option retry is ${typeof retry === "object" ? `[${retry.join(", ")}]` : quote(retry)}; ` +
      'it takes a duration of 1 ms or more such as 3000 or "3s", or a range [from, to] of two',
  );
}

/** Draws the time, in milliseconds, for a client that is rejected. */
export const drawOverloadRetry: () => number = resolveRetry(overloadRetry);
