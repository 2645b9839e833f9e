// sourcecast/presence: which users are on a channel. It plugs into a hub.
import type { PresencePlugin } from "../hub/presence.ts";
import { type PresenceOptions, resolvePresence } from "./options.ts";
import { PresenceTracker } from "./tracker.ts";

export type { Member, PresencePlugin } from "../hub/presence.ts";
export type { PresenceOptions } from "./options.ts";

/**
 * Lets a hub know which users are on which channel, on all machines that share its log. Subscriptions bring a `member`,
 * `channel.members()` lists them, and the events `join` and `leave` report changes.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for options with values that are not allowed.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { presence } from "sourcecast/presence";
 *
 * const hub = createHub({ presence: presence({ grace: "20s" }) });
 * const room = hub.channel("room");
 * await room.response(new Request("http://localhost/room"), { member: { id: "ada" } });
 * console.log((await room.members()).length); // 1
 * await hub.close();
 * ```
 */
export function presence(options: PresenceOptions = {}): PresencePlugin {
  const resolved = resolvePresence(options);
  return { open: (context) => new PresenceTracker(context, resolved) };
}
