// sourcecast/opentelemetry: the statistics of a hub as OpenTelemetry metrics. It needs only the name and the `stats()` of a
// hub, and an object with the methods of a meter.

import { quote, SourcecastTypeError } from "./base/errors.ts";
import type { HubStats } from "./hub/stats.ts";

/**
 * A `Meter` of `@opentelemetry/api`, typed by structure: the package has no dependency on it, not even for types, so an
 * application updates its OpenTelemetry when it wants to.
 */
export interface MeterLike {
  createObservableCounter(name: string, options?: { description?: string; unit?: string }): object;
  createObservableUpDownCounter(name: string, options?: { description?: string; unit?: string }): object;
  createObservableGauge(name: string, options?: { description?: string; unit?: string }): object;
  addBatchObservableCallback(callback: (result: ObservableResultLike) => void, observables: object[]): void;
  removeBatchObservableCallback(callback: (result: ObservableResultLike) => void, observables: object[]): void;
}

/** The result that a {@link MeterLike} passes to its callback. */
export interface ObservableResultLike {
  observe(observable: object, value: number, attributes?: Record<string, string>): void;
}

/** One instrument and its values. */
interface Metric {
  readonly name: string;
  readonly create: "createObservableCounter" | "createObservableUpDownCounter" | "createObservableGauge";
  /** In UCUM notation. */
  readonly unit: string;
  readonly description: string;
  /** Each value, with the attributes that distinguish it from the others of the same instrument. */
  observe(stats: HubStats): Iterable<readonly [value: number, attributes?: Record<string, string>]>;
}

/**
 * One metric for each number of {@link HubStats}. Names follow OpenTelemetry's messaging conventions where these have a name
 * of the same meaning, and have the prefix `sourcecast.` elsewhere.
 *
 * A number whose sum over all processes means something is a counter, or an up-down counter if it can fall. The others are
 * gauges: all processes see the same head of a log, and two distances from it do not add up.
 *
 * `live` and `lagging` are not metrics of their own but states of a connection, and `closed` only ends the reports.
 */
const metrics: { readonly [stat in Exclude<keyof HubStats, "live" | "lagging" | "closed">]: Metric } = {
  connections: {
    name: "sourcecast.connections",
    create: "createObservableUpDownCounter",
    unit: "{connection}",
    description: "Open connections: at the head of the log, lagging, or still opening",
    // The states do not overlap, so that their sum is the number of connections.
    observe: ({ connections, live, lagging }) => [
      [live, { "sourcecast.connection.state": "live" }],
      [lagging, { "sourcecast.connection.state": "lagging" }],
      [connections - live - lagging, { "sourcecast.connection.state": "opening" }],
    ],
  },
  channels: {
    name: "sourcecast.channels",
    create: "createObservableUpDownCounter",
    unit: "{channel}",
    description: "Channels and prefixes with a subscription",
    observe: ({ channels }) => [[channels]],
  },
  head: {
    name: "sourcecast.log.head",
    create: "createObservableGauge",
    unit: "{entry}",
    description: "Offset of the newest entry received from the log",
    observe: ({ head }) => [[head]],
  },
  oldestLag: {
    name: "sourcecast.lag.max",
    create: "createObservableGauge",
    unit: "{entry}",
    description: "Distance of the slowest connection from the head of the log",
    observe: ({ oldestLag }) => [[oldestLag]],
  },
  published: {
    name: "messaging.client.sent.messages",
    create: "createObservableCounter",
    unit: "{message}",
    description: "Events accepted by the log",
    observe: ({ published }) => [[published, messaging("publish")]],
  },
  deliveries: {
    name: "messaging.client.consumed.messages",
    create: "createObservableCounter",
    unit: "{message}",
    description: "Events written, counted once per connection",
    observe: ({ deliveries }) => [[deliveries, messaging("deliver")]],
  },
  bytes: {
    name: "sourcecast.delivery.io",
    create: "createObservableCounter",
    unit: "By",
    description: "Bytes of the events written",
    observe: ({ bytes }) => [[bytes, { "network.io.direction": "transmit" }]],
  },
  gaps: {
    name: "sourcecast.gaps",
    create: "createObservableCounter",
    unit: "{gap}",
    description: "Losses declared to clients, by reason",
    observe: ({ gaps }) => byName(gaps, "sourcecast.gap.reason"),
  },
  resets: {
    name: "sourcecast.resets",
    create: "createObservableCounter",
    unit: "{reset}",
    description: "Clients whose position does not belong to this log",
    observe: ({ resets }) => [[resets]],
  },
  outage: {
    name: "sourcecast.log.outages",
    create: "createObservableUpDownCounter",
    unit: "{process}",
    description: "Processes that cannot reach their log",
    observe: ({ outage }) => [[outage === null ? 0 : 1]],
  },
  conflated: {
    name: "sourcecast.conflated.messages",
    create: "createObservableCounter",
    unit: "{message}",
    description: "Events skipped for lagging readers because a newer event of the same key superseded them",
    observe: ({ conflated }) => [[conflated]],
  },
  refused: {
    name: "sourcecast.refused.requests",
    create: "createObservableCounter",
    unit: "{request}",
    description: "Requests rejected, by limit",
    observe: ({ refused }) => byName(refused, "sourcecast.limit"),
  },
  stalled: {
    name: "sourcecast.stalled.connections",
    create: "createObservableCounter",
    unit: "{connection}",
    description: "Connections closed because they did not read in time",
    observe: ({ stalled }) => [[stalled]],
  },
  ringBytes: {
    name: "sourcecast.ring.usage",
    create: "createObservableUpDownCounter",
    unit: "By",
    description: "Encoded events held in memory for lagging readers",
    observe: ({ ringBytes }) => [[ringBytes]],
  },
};

/** The part of a hub that {@link instrument} reads. */
export interface InstrumentedHub {
  /** The name of the hub, an attribute of every metric. */
  readonly name: string;
  /** The numbers that are reported. */
  stats(): HubStats;
}

/**
 * Which meters report which hub: a second registration would count everything twice. The maps are weak, so that they keep
 * neither alive.
 */
const registrations = new WeakMap<InstrumentedHub, WeakMap<MeterLike, () => void>>();

/**
 * Reports {@link HubStats} to an OpenTelemetry meter at each of its collections, until the hub is closed. Calling it
 * again with the same hub and meter has no effect.
 *
 * @returns A function that ends the reports.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a hub or a meter without the methods that are needed.
 * @example
 * ```ts
 * import { metrics } from "@opentelemetry/api";
 * import { createHub } from "sourcecast";
 * import { instrument } from "sourcecast/opentelemetry";
 *
 * const hub = createHub({ name: "news" });
 * const stop = instrument(hub, metrics.getMeter("sourcecast"));
 * stop();
 * await hub.close();
 * ```
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/
 */
export function instrument(hub: InstrumentedHub, meter: MeterLike): () => void {
  assertArguments(hub, meter);
  const meters = registrations.get(hub) ?? new WeakMap<MeterLike, () => void>();
  registrations.set(hub, meters);
  const registered = meters.get(meter);
  if (registered !== undefined) return registered;
  const remove = register(hub, meter);
  const stop = (): void => {
    // After a stop, the same hub and meter may have been registered again.
    if (meters.get(meter) !== stop) return;
    meters.delete(meter);
    remove();
  };
  meters.set(meter, stop);
  return stop;
}

/**
 * Adds the callback of one hub to one meter, and returns what removes it. All instruments share a callback, so that their
 * values belong to the same moment, and `stats()`, which visits each lagging connection, runs once for each collection.
 */
function register(hub: InstrumentedHub, meter: MeterLike): () => void {
  const instruments = Object.values(metrics).map((metric) => {
    const { name, create, unit, description } = metric;
    return { metric, observable: meter[create](name, { unit, description }) };
  });
  const observables = instruments.map(({ observable }) => observable);
  const report = (result: ObservableResultLike): void => {
    const stats = hub.stats();
    for (const { metric, observable } of instruments) {
      for (const [value, attributes] of metric.observe(stats)) {
        result.observe(observable, value, { "sourcecast.hub.name": hub.name, ...attributes });
      }
    }
    // This was the closed hub's final report. The SDK walks its array of callbacks right now, and removing one from that
    // array would make it skip the next (ObservableRegistry of @opentelemetry/sdk-metrics 3.1.1).
    if (stats.closed) queueMicrotask(() => registrations.get(hub)?.get(meter)?.());
  };
  meter.addBatchObservableCallback(report, observables);
  return () => meter.removeBatchObservableCallback(report, observables);
}

/** Checks for the methods alone: `getMeter()` returns a meter without effect until the application has started its SDK. */
function assertArguments(hub: InstrumentedHub, meter: MeterLike): void {
  if (typeof hub?.stats !== "function") {
    throw new SourcecastTypeError(
      "ERR_SSE_ARGUMENT",
      `The first argument of instrument() is ${quote(hub)}; pass a hub that createHub() returned`,
    );
  }
  if (typeof meter?.addBatchObservableCallback !== "function") {
    throw new SourcecastTypeError(
      "ERR_SSE_ARGUMENT",
      `The second argument of instrument() is ${quote(meter)}; pass a meter of OpenTelemetry, metrics.getMeter("sourcecast")`,
    );
  }
}

/** The two attributes that the messaging conventions require of the metrics that they name. */
function messaging(operation: string): Record<string, string> {
  return { "messaging.system": "sourcecast", "messaging.operation.name": operation };
}

/** One value for each name. A name without a count is not reported until it has one. */
function byName(counts: Readonly<Record<string, number>>, attribute: string): [number, Record<string, string>][] {
  return Object.entries(counts).map(([name, count]) => [count, { [attribute]: name }]);
}
