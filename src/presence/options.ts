import { SourcecastError } from "../base/errors.ts";
import { aDuration, aGroup, aName, anything, checkOptions, type OptionChecks, optionError } from "../base/options.ts";
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

/** @throws {SourcecastTypeError} `ERR_SSE_OPTION` or `ERR_SSE_TYPE` for options that are not allowed. */
export function resolvePresence(options: PresenceOptions): ResolvedPresence {
  checkOptions(options, presenceChecks, "presence()");
  const { grace = "10s", lease = "30s", events = {} } = options;
  const types = events === false ? null : { join: events.join ?? "join", leave: events.leave ?? "leave" };
  for (const type of Object.values(types ?? {})) {
    assertNotReserved(type);
    assertEvent(type);
  }
  return { grace: milliseconds(grace, "grace"), lease: milliseconds(lease, "lease"), events: types };
}

const typeChecks: OptionChecks<Exclude<PresenceOptions["events"], false | undefined>> = { join: aName, leave: aName };

const presenceChecks: OptionChecks<PresenceOptions> = {
  grace: aDuration,
  lease: (value, name) => {
    // A third of the lease is the interval of writes to the log.
    if (milliseconds(value as Duration, name) < 100) throw optionError(name, value, '"100ms" or more');
  },
  events: (value, name) => (value === false ? undefined : aGroup(typeChecks)(value, name)),
};

/**
 * The member of a subscription as others will see it: a copy, by way of JSON.
 *
 * @throws {SourcecastError} for a member without an id, and for data that is no JSON or longer than `maxSize`.
 */
export function readMember(member: CheckedMember, maxSize: number): CheckedMember {
  aGroup(memberChecks)(member, "member");
  const { id, data } = member;
  // Also for a member without an id, which has no check of its own.
  aName(id, "member.id");
  const text = serialize({ id, data });
  if (text.length <= maxSize) return JSON.parse(text);
  throw new SourcecastError(
    "ERR_SSE_LIMIT",
    `The option member has ${text.length} characters, the limit eventSize is ${maxSize}; keep what is long elsewhere`,
  );
}

const memberChecks: OptionChecks<CheckedMember> = { id: aName, data: anything };
