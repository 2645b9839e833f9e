// The messages between the tabs of a browser that share a connection: plain data, as a BroadcastChannel carries it.
import type { ParsedEvent } from "../wire/parse.ts";
import type { Environment } from "./environment.ts";
import type { StreamError, StreamFailure } from "./errors.ts";
import type { ClosedBy, ReconnectState } from "./reconnect.ts";
import type { BodyLike } from "./request.ts";
import type { StreamRequest, StreamSnapshot } from "./stream-request.ts";
import type { TabContext } from "./tab-parts.ts";

/**
 * The beginning of the name of each channel and lock. Its number is the version of these messages, to be raised whenever their
 * meaning changes. A deploy leaves tabs of two builds: they never receive each other's messages, and each build has a connection.
 */
export const namePrefix = "sourcecast 1 ";

/** A term and the tab that leads in it. Of two tabs with the same term, the one with the greater id leads. */
export type Fence = readonly [term: number, id: string];

/** Whether messages of the other one have to be ignored. */
export function isNewer(one: Fence, other: Fence): boolean {
  return one[0] > other[0] || (one[0] === other[0] && one[1] > other[1]);
}

export type TabMessage =
  /** A tab has been elected, and asks the others for their channels. */
  | { readonly kind: "who"; readonly from: string }
  /** The stream of another tab, for the elected one. */
  | { readonly kind: "stream"; readonly from: string; readonly stream: StreamSnapshot }
  /** A worker needs the parts of a request that the application decides. */
  | { readonly kind: "ask"; readonly to: string; readonly number: number }
  /** The answer of a tab: the parts, or why it could not give them. */
  | { readonly kind: "answer"; readonly number: number; readonly request: TabRequest | null; readonly error: string }
  | ToLeader
  | FromLeader
  | (FromLeader & { readonly to: string });

/** The messages that a leader acts on. */
export type ToLeader =
  /** The channels that a tab follows; null if it follows nothing. `isNew`: it does not know where the stream is. */
  | {
      readonly kind: "want";
      readonly from: string;
      readonly channels: readonly string[] | null;
      readonly isNew: boolean;
      readonly fence: Fence;
    }
  /** A tab is closed or put away. If it crashes, its lock is released in place of this message. */
  | { readonly kind: "leave"; readonly from: string }
  /** The last message of the leader is long ago. */
  | { readonly kind: "ping"; readonly from: string }
  /** A tab wants another connection at once. */
  | { readonly kind: "reconnect" }
  /** A tab has missed messages. */
  | { readonly kind: "again"; readonly from: string; readonly after: number };

/** A message of the leader, in its term. One with `to` is for that tab alone. */
export interface FromLeader {
  readonly kind: "news";
  readonly fence: Fence;
  /** Counts the messages to all tabs. */
  readonly number: number;
  readonly news: LeaderNews;
}

/** Everything that a leader tells: the news of its connection, and answers to tabs. */
export type LeaderNews =
  /** A tab leads from now on. Its stream begins after the cursor. */
  | { readonly kind: "lead"; readonly cursor: string }
  | {
      readonly kind: "welcome";
      readonly snapshot: StreamSnapshot;
      readonly state: PackedState | null;
      readonly isOpen: boolean;
    }
  /** The answer to a ping. Its number shows whether the tab has missed the last messages. */
  | { readonly kind: "here" }
  /** Messages that a tab has missed. */
  | { readonly kind: "repeat"; readonly messages: readonly FromLeader[] }
  /** The state of the connection has changed. */
  | { readonly kind: "state"; readonly state: PackedState }
  /** A stream has opened. Everything after this message belongs to it. */
  | { readonly kind: "open"; readonly request: StreamRequest }
  /** An event, undecoded. */
  | { readonly kind: "event"; readonly event: ParsedEvent }
  /** `limit`: the most channels that a connection of this server may have. */
  | { readonly kind: "comment"; readonly text: string; readonly limit: number }
  | {
      readonly kind: "reject";
      readonly request: StreamRequest;
      readonly by: ClosedBy;
      readonly error: PackedError | null;
    }
  | {
      readonly kind: "end";
      readonly request: StreamRequest | null;
      readonly by: ClosedBy;
      readonly error: PackedError | null;
    }
  /** The connection cannot have the channels of this tab. */
  | { readonly kind: "part" };

/** The parts of a request that an application decides, as plain data. */
export interface TabRequest {
  readonly url: string;
  readonly headers: [name: string, value: string][];
  readonly body: BodyLike | null;
}

/** A `StreamError`, which loses its class on the way. */
interface PackedError {
  readonly failure: StreamFailure;
  readonly message: string;
  readonly status: number | undefined;
  readonly contentType: string | undefined;
  readonly body: string | undefined;
}

/** The state of a connection. Its other times mean nothing in other tabs, whose monotonic clocks differ. */
export interface PackedState extends Omit<ReconnectState, "error"> {
  /** In Unix time. */
  readonly retryAt: number;
  readonly error: PackedError | null;
}

/** The state for another tab. */
export function packState(state: ReconnectState, environment: Environment): PackedState {
  return { ...state, retryAt: environment.toUnixTime(state.retryAt), error: packError(state.error) };
}

/** The state on the clock of this tab. */
export function unpackState(state: PackedState, context: TabContext): ReconnectState {
  const { environment } = context;
  const now = environment.now();
  const retryAt = now + state.retryAt - environment.toUnixTime(now);
  return { ...state, retryAt, error: unpackError(state.error, context) };
}

/** Null for anything but a `StreamError`. */
export function packError(error: unknown): PackedError | null {
  const { failure, message, status, contentType, body } = (error ?? {}) as StreamError;
  return failure === undefined ? null : { failure, message, status, contentType, body };
}

export function unpackError(error: PackedError | null, { parts }: TabContext): StreamError | undefined {
  return error === null ? undefined : new parts.StreamError(error.failure, error.message, error);
}

/** The request for another tab, without its guests: each tab has its own. */
export function packRequest(request: StreamRequest): StreamRequest {
  return { ...request, guests: [] };
}
