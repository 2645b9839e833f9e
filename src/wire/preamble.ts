import { encodeEvent } from "./encode.ts";
import { Frame } from "./frame.ts";
import { drawOverloadRetry } from "./retry.ts";

/**
 * The first bytes of every stream: browsers report `open` only when a byte of the body has come. They carry the
 * reconnection time and, in a comment, the silence after which a keep-alive comes, for a client's watchdog.
 */
export function preambleFrame(retry: number, keepAlive: number): Frame {
  const comment = Number.isFinite(keepAlive) ? `: keep-alive ${keepAlive}\n` : ": open\n";
  return Frame.of(comment + encodeEvent({ retry }));
}

/** All that a client hears that is turned away for now: any other status than 200 would stop a native one for good. */
export function retryLaterFrame(): Frame {
  return Frame.of(encodeEvent({ retry: drawOverloadRetry() }));
}
