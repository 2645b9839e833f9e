// The routes of a stream, the request that opens it, and its state for another tab: types only.
import type { Position } from "../wire/cursor.ts";

/** The part of a subscription that the router knows. */
export interface Route {
  /** The channels and prefixes that have not ended. Empty where the address alone decides. */
  readonly channels: Set<string>;
  /** The position up to which this route was delivered, wherever the stream is. `null`: every event is new. */
  position: Position | null;
  /** Whether a stream has opened that has all channels of the route. It receives nothing before. */
  carried: boolean;
}

/** A request: the channels of a stream, and the position at which it begins. */
export interface StreamRequest {
  /** Resumed after `cursor`; without a cursor, all channels of a new client. */
  readonly held: ReadonlySet<string>;
  /** Begin as for a new client. */
  readonly joining: ReadonlySet<string>;
  /** Whether each event has to name its channel. */
  readonly label: boolean;
  readonly cursor: string;
  /** Those guests whose positions the stream begins before. */
  readonly guests: readonly Route[];
}

/** The stream of a router, for one in another tab that follows the same stream. */
export interface StreamSnapshot {
  readonly cursor: string;
  readonly held: ReadonlySet<string>;
  readonly joining: ReadonlySet<string>;
  readonly label: boolean;
  readonly origin: Position | null;
  /** A loss was declared, and the position after it has not come yet. */
  readonly hasLost: boolean;
}
