import type { FrameRing } from "./feed/frame-ring.ts";
import type { Subscriber, Subscribers } from "./feed/subscribers.ts";

/** What a hub has counted since it was made, and how it stands. All of this process alone. */
export interface HubStats {
  /** Open connections. */
  connections: number;
  /** Connections at the head of the log. */
  live: number;
  /** Connections behind it: replays and slow readers. */
  lagging: number;
  /** Channels and prefixes that are followed. */
  channels: number;
  /** Offset of the newest entry that has come in. */
  head: number;
  /** How far the slowest connection is behind the head, in entries. */
  oldestLag: number;
  /** Events that were accepted by the log. */
  published: number;
  /** Events that were written, one for each connection. */
  deliveries: number;
  /** Bytes of those. */
  bytes: number;
  /** Declared gaps by their reason. */
  gaps: Record<string, number>;
  resets: number;
  /** Events left out for a reader that lagged because a newer one of the same key superseded them. */
  conflated: number;
  /** Requests turned away, by the limit that they met. */
  refused: Record<string, number>;
  /** Connections closed because they did not read. */
  stalled: number;
  /** Bytes of encoded events that are kept for those who lag. */
  ringBytes: number;
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

/** What was counted, and how it stands. */
export function readStats(
  counters: Counters,
  ring: FrameRing,
  { all, lagging, channels: topics }: Subscribers<Subscriber & { readonly position: number }>,
  connections: number,
  closed: boolean,
): HubStats {
  let oldestLag = 0;
  for (const { position } of lagging) oldestLag = Math.max(oldestLag, ring.top - position);
  const { gaps, refused, ...counts } = counters;
  return {
    connections,
    live: all.size - lagging.size,
    lagging: lagging.size,
    channels: topics.size,
    head: ring.top,
    oldestLag,
    ringBytes: ring.byteLength,
    closed,
    ...counts,
    gaps: { ...gaps },
    refused: { ...refused },
  };
}
