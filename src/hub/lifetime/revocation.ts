// Permissions that are taken away while a stream is open.
import { encodeControl } from "../../wire/control.ts";
import { Frame } from "../../wire/frame.ts";
import { parseSelection } from "../selection.ts";
import { laterFrame } from "../subscription/protocol.ts";
import type { Subscription } from "../subscription/subscription.ts";

/** How many milliseconds later a client reconnects that has lost a permission and cannot be told which. */
const revokedRetryMs = 5_000;

/**
 * Ends a stream of a key that was revoked. Its client reconnects, and is authorized again. A stream that is closed already
 * keeps its reason.
 *
 * A labeled stream belongs to several parts of a page: they are told to retry, because an `sse:end` would end all of them,
 * whatever the application decides about each channel. Clients of other protocols would read it as an event of their own.
 *
 * @param retryAfter Milliseconds after which the client of such a stream reconnects.
 */
export function revokeStream(subscription: Subscription, retryAfter: number): void {
  if (subscription.closed) return;
  const { isLabeled, protocol } = subscription;
  const isRetried = isLabeled || protocol !== null;
  const frame = isRetried
    ? laterFrame(protocol, "revoked", retryAfter)
    : Frame.of(encodeControl("sse:end", { reason: "revoked" }));
  subscription.sendControl(frame);
  subscription.stream.close("revoked");
}

/**
 * Removes the channels that the client may no longer read. On a labeled stream, the others continue. On any other
 * stream, the client could not tell which channel is missing, so the stream ends. The client may have left while
 * `authorize()` was pending.
 *
 * @param allowed The channels that it may still read.
 */
export function revokeChannels(subscription: Subscription, allowed: readonly string[]): void {
  if (subscription.closed) return;
  if (!subscription.isLabeled) {
    revokeStream(subscription, revokedRetryMs);
    return;
  }
  const revoked = subscription.channels.filter((name) => !allowed.includes(name));
  subscription.channels = allowed;
  if (allowed.length > 0) subscription.permissions.restrictTo(parseSelection(allowed));
  for (const channel of revoked) {
    subscription.sendControl(endFrame(channel, "revoked"));
    subscription.markEnded(channel);
  }
  if (allowed.length === 0) subscription.stream.close("revoked");
  else subscription.closeIfEnded();
}

/**
 * Tells the client that it may not read one of several channels. The event has no id, so that the position of the
 * others stays.
 */
export function endFrame(channel: string, reason: "revoked" | "forbidden"): Frame {
  return Frame.of(encodeControl("sse:end", { channel, reason }));
}
