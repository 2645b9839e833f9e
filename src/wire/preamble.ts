// The first bytes of every stream, and how a client reads them. Browsers fire `open` only when a byte of the body arrives.
import { encodeComment, encodeRetry } from "./encode.ts";

/**
 * The opening of a stream: lines that no blank line follows, so that events can come right after them.
 *
 * @param retry The client's reconnection time in milliseconds.
 * @param keepAlive The idle time in milliseconds after which a keep-alive is sent; `Infinity` if none is sent.
 * @param maxChannels How many channels one connection may have, for a client that decides how many it asks for.
 */
export function encodePreamble(
  retry: number,
  keepAlive: number,
  maxChannels: number = Number.POSITIVE_INFINITY,
): string {
  const opening = encodeComment(Number.isFinite(keepAlive) ? `keep-alive ${keepAlive}` : "open");
  return opening + encodeChannelLimit(maxChannels) + encodeRetry(retry);
}

/** The line that announces how many channels one connection may have; nothing without a limit. */
export function encodeChannelLimit(maxChannels: number): string {
  return Number.isFinite(maxChannels) ? encodeComment(`channels ${maxChannels}`) : "";
}

/**
 * Reads the announced keep-alive from a comment, for a client's watchdog.
 *
 * @returns Milliseconds, or `null` for any other comment.
 */
export function readKeepAlive(comment: string): number | null {
  return readNumber(comment, /^keep-alive (\d{1,12}(?:\.\d+)?)$/);
}

/**
 * Reads the announced limit of channels from a comment, for a client that shares one connection.
 *
 * @returns `null` for any other comment.
 */
export function readChannelLimit(comment: string): number | null {
  return readNumber(comment, /^channels ([1-9]\d{0,8})$/);
}

function readNumber(comment: string, pattern: RegExp): number | null {
  const number = pattern.exec(comment)?.[1];
  return number === undefined ? null : Number(number);
}
