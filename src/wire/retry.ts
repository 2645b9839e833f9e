// Reconnection times: fixed, or drawn from a range for each connection.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { type Duration, milliseconds } from "../base/units.ts";

/**
 * The reconnection time that a client is told: a fixed one, or a range `[from, to]` out of which each connection gets
 * its own. A range keeps the clients of a server that restarts from coming back all at once.
 */
export type Retry = Duration | readonly [from: Duration, to: Duration];

/** Browsers wait 3 or 5 seconds, always the same; this is about as long, and scattered. */
export const defaultRetry: Retry = [2_000, 6_000];
/** For those who are turned away because there are too many, or because the server is about to end. */
export const overloadRetry: Retry = [5_000, 30_000];

/** Checks the option once, and returns what draws a time from it. */
export function resolveRetry(retry: Retry): () => number {
  const [from, to] = typeof retry === "object" && retry !== null ? [retry[0], retry[1]] : [retry, retry];
  const least = Math.round(milliseconds(from, "retry"));
  const most = Math.round(milliseconds(to, "retry"));
  if (least > 0 && most >= least) return () => least + Math.floor(Math.random() * (most - least + 1));
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option retry is ${typeof retry === "object" ? `[${retry.join(", ")}]` : quote(retry)}; ` +
      'it takes a duration of 1 ms or more such as 3000 or "3s", or a range [from, to] of two',
  );
}

/** Milliseconds. */
export const drawOverloadRetry: () => number = resolveRetry(overloadRetry);
