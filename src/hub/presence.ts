// The interface between a hub and presence. A hub has no presence unless its option `presence` brings it, so that
// applications without it do not load it: nothing here imports `src/presence`.

import { SourcecastTypeError } from "../base/errors.ts";
import type { CompleteLog } from "../log/complete.ts";
import type { LogEntry, Position } from "../log/log.ts";

/** A user who is present on a channel, however many connections the user has. */
export interface Member {
  /** The id of the user. */
  readonly id: string;
  /** The data that the newest connection passed. */
  readonly data?: unknown;
  /** When the member joined, in milliseconds of Unix time. */
  readonly since: number;
}

/** The option `presence` of a hub: what `presence()` of `sourcecast/presence` returns. */
export interface PresencePlugin {
  /** @internal Called once for each hub. */
  open(context: PresenceContext): HubPresence;
}

/** Presence, as a hub uses it. */
export interface HubPresence {
  /**
   * A copy of a subscription's member, which the application can no longer change.
   *
   * @throws {SourcecastError} for a member that {@link enter} could not take.
   */
  check(member: { id: string; data?: unknown }): { id: string; data?: unknown };
  /**
   * A connection of a member has opened.
   *
   * @param member What {@link check} returned.
   * @param channels Names and prefixes; a member is present on the names.
   * @returns Called once, when the connection has closed, with its reason.
   */
  enter(member: { id: string; data?: unknown }, channels: readonly string[]): (closeReason: string) => void;
  members(channel: string): Promise<Member[]>;
  /** Called after all streams of the hub have closed, and before its log does. Never rejects. */
  close(): Promise<void>;
}

/** A hub without the option `presence`. */
export const noPresence: HubPresence = {
  check: () => {
    throw absent("The option member");
  },
  enter: () => () => {},
  members: () => Promise.reject(absent("The method channel.members()")),
  close: () => Promise.resolve(),
};

function absent(what: string): SourcecastTypeError {
  return new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `${what} was used on a hub without presence; pass createHub({ presence: presence() }), ` +
      'with import { presence } from "sourcecast/presence"',
  );
}

/** The parts of a hub that presence uses. */
export interface PresenceContext {
  readonly log: CompleteLog;
  /** The limit `eventSize` of the hub. */
  readonly maxDataSize: number;
  /** Position of the newest entry that the tail has delivered to this process. */
  readonly head: Position;
  /**
   * Resolves or rejects as an answer of the log does, or rejects with `ERR_SSE_TIMEOUT` after the limit `logTimeout`.
   *
   * @param subject Names the question in the error: `log.append()`.
   */
  readonly limit: <T>(answer: Promise<T>, subject: string) => Promise<T>;
  /** Resolves when the tail is running. After a failure, the next call tries again. */
  start(): Promise<void>;
  /** Adds an observer of the tail. */
  observe(observer: TailObserver): void;
  /** Counts events that presence has published. */
  countPublished(events: number): void;
  onError(error: unknown): void;
}

/** Called with the entries that the tail of the log delivers to this process. */
export interface TailObserver {
  onEntry(item: { readonly entry: LogEntry }): void;
  /** The next entry does not follow the previous one: some were trimmed or lost, or the log was replaced. */
  onDiscontinuity(): void;
}
