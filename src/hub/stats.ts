// Counters of a hub, and the numbers that stats() returns.
import type { FrameRing } from "./feed/frame-ring.ts";
import type { Subscriber, Subscribers } from "./feed/subscribers.ts";
import type { Outage } from "./log-health.ts";

/** The numbers of a hub in this process: counters since it was created, and gauges. */
export interface HubStats {
  /** Open connections. */
  connections: number;
  /** Connections at the head of the log. */
  live: number;
  /** Connections behind the head: replays and slow readers. */
  lagging: number;
  /** Channels and prefixes with a subscription. */
  channels: number;
  /** Offset of the newest entry that this process has received from the log. */
  head: number;
  /** How far the slowest connection is behind the head, in entries. */
  oldestLag: number;
  /** Events that the log has accepted from this process. */
  published: number;
  /** Events written, counted once per connection. */
  deliveries: number;
  /** Bytes of the events written. */
  bytes: number;
  /** Declared gaps by their reason. */
  gaps: Record<string, number>;
  /** Declared resets: clients whose position does not belong to this log. */
  resets: number;
  /** Events skipped for lagging readers because a newer event of the same key superseded them. */
  conflated: number;
  /** Rejected requests by the limit that they exceeded. */
  refused: Record<string, number>;
  /** Connections closed because they did not read in time. */
  stalled: number;
  /** Bytes of encoded events that are kept for lagging readers. */
  ringBytes: number;
  /** The time in which the log cannot be reached or fails, `null` when there is none. */
  outage: Outage | null;
  /** True after `hub.close()`. */
  closed: boolean;
}

/** The counting part of {@link HubStats}. */
export class Counters {
  published = 0;
  deliveries = 0;
  bytes = 0;
  resets = 0;
  conflated = 0;
  stalled = 0;
  readonly gaps: Record<string, number> = {};
  readonly refused: Record<string, number> = {};

  countGap(reason: string): void {
    this.gaps[reason] = (this.gaps[reason] ?? 0) + 1;
  }

  countRefused(limit: string): void {
    this.refused[limit] = (this.refused[limit] ?? 0) + 1;
  }
}

/** Combines the counters with the state of the ring and the subscriptions. */
export function readStats(
  counters: Counters,
  ring: FrameRing,
  { all, lagging, channels: topics }: Subscribers<Subscriber & { readonly offset: number }>,
  outage: Outage | null,
  connections: number,
  closed: boolean,
): HubStats {
  let oldestLag = 0;
  for (const { offset } of lagging) oldestLag = Math.max(oldestLag, ring.top - offset);
  const { gaps, refused, ...counts } = counters;
  return {
    connections,
    live: all.size - lagging.size,
    lagging: lagging.size,
    channels: topics.size,
    head: ring.top,
    oldestLag,
    ringBytes: ring.byteLength,
    outage,
    closed,
    ...counts,
    gaps: { ...gaps },
    refused: { ...refused },
  };
}
