import { quote, SourcecastError, SourcecastTypeError } from "../base/errors.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import { assertEvent, assertNotReserved, serialize } from "../wire/encode.ts";

/** A member without the time when it came: a copy of what a subscription brought. */
export interface CheckedMember {
  readonly id: string;
  readonly data?: unknown;
}

/** The options of {@link presence}. The same for all hubs of a log. */
export interface PresenceOptions {
  /**
   * How long a member whose last connection has gone still counts as present: longer than a reload takes, and than the time
   * after which a client reconnects. @default "10s"
   */
  grace?: Duration;
  /**
   * After how much silence of a process the others take it for dead and let its members leave. It writes to the log once in a
   * third of that while it has members. At least "100ms". @default "30s"
   */
  lease?: Duration;
  /**
   * The types of the events that a channel hears when a member comes and goes, with `{ id, data }`. `false` for no events:
   * where thousands come and go, everybody hears of everybody. @default { join: "join", leave: "leave" }
   */
  events?: { join?: string; leave?: string } | false;
}

/** {@link PresenceOptions} checked and with their defaults, times in milliseconds. */
export interface ResolvedPresence {
  readonly grace: number;
  readonly lease: number;
  readonly events: { readonly join: string; readonly leave: string } | null;
}

export function resolvePresence({ grace = "10s", lease = "30s", events = {} }: PresenceOptions = {}): ResolvedPresence {
  const types = events === false ? null : { join: events.join ?? "join", leave: events.leave ?? "leave" };
  for (const type of Object.values(types ?? {})) {
    assertNotReserved(type);
    assertEvent(type);
  }
  const resolved = {
    grace: milliseconds(grace, "presence.grace"),
    lease: milliseconds(lease, "presence.lease"),
    events: types,
  };
  if (resolved.lease >= 100) return resolved;
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option presence.lease is ${quote(lease)}; it takes "100ms" or more: the log is written to in a third of that`,
  );
}

/**
 * The member of a subscription as others will see it: a copy, by way of JSON.
 *
 * @throws {SourcecastError} for a member without an id, and for data that is no JSON or longer than `maxSize`.
 */
export function readMember(member: CheckedMember, maxSize: number): CheckedMember {
  const { id, data } = member;
  if (typeof id !== "string" || id === "" || !id.isWellFormed()) {
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      `The option member.id is ${quote(id)}; it takes a non-empty string that names the user`,
    );
  }
  const text = serialize({ id, data });
  if (text.length <= maxSize) return JSON.parse(text);
  throw new SourcecastError(
    "ERR_SSE_LIMIT",
    `The option member has ${text.length} characters, the limit eventSize is ${maxSize}; keep what is long elsewhere`,
  );
}
