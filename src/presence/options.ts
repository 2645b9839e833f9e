// The options of presence, and the member of a subscription: their checks.
import { SourcecastError } from "../base/errors.ts";
import { aDuration, aGroup, aName, anything, checkOptions, type OptionChecks, optionError } from "../base/options.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import { assertEvent, assertNotReserved, serialize } from "../wire/encode.ts";

/** The member of a subscription, checked and copied. */
export interface CheckedMember {
  readonly id: string;
  readonly data?: unknown;
}

/** The options of {@link presence}. Use the same for all hubs of a log. */
export interface PresenceOptions {
  /**
   * How long a member stays present after its last connection has closed. Keep it longer than a page takes to reload, and
   * longer than the `retry` after which a client reconnects. @default "10s"
   */
  grace?: Duration;
  /**
   * How long a process may write nothing before the others count it as dead and remove its members. A process with
   * members writes to the log three times in this period. At least "100ms". @default "30s"
   */
  lease?: Duration;
  /**
   * The types of the events that report on the channel when a member comes and leaves, with the data `{ id, data }`. `false`
   * publishes none: on a channel with thousands of members, every client would receive an event for every other one.
   * @default { join: "join", leave: "leave" }
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
 * Checks the member of a subscription, and copies it by way of JSON.
 *
 * @throws {SourcecastError} `ERR_SSE_OPTION` for a member without an id, `ERR_SSE_DATA` for data that JSON cannot express,
 * `ERR_SSE_LIMIT` for a member longer than `maxSize`.
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
    `The option member has ${text.length} characters, the limit eventSize is ${maxSize}; keep the rest elsewhere, and only its id here`,
  );
}

const memberChecks: OptionChecks<CheckedMember> = { id: aName, data: anything };
