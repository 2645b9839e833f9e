import { quote, SourcecastTypeError } from "./base/errors.ts";
import type { OnError } from "./hub/options.ts";
import type { HubStats } from "./hub/stats.ts";

/** A meter of OpenTelemetry (`@opentelemetry/api`), as far as it is used here. */
export interface MeterLike {
  createObservableCounter(name: string, options?: { description?: string; unit?: string }): object;
  createObservableUpDownCounter(name: string, options?: { description?: string; unit?: string }): object;
  createObservableGauge(name: string, options?: { description?: string; unit?: string }): object;
  addBatchObservableCallback(callback: (result: ObservableResultLike) => void, observables: object[]): void;
  removeBatchObservableCallback(callback: (result: ObservableResultLike) => void, observables: object[]): void;
}

/** What a {@link MeterLike} passes to its callback. */
export interface ObservableResultLike {
  observe(observable: object, value: number, attributes?: Record<string, string>): void;
}

/** One instrument and what it is told. */
interface Measure {
  readonly name: string;
  readonly create: "createObservableCounter" | "createObservableUpDownCounter" | "createObservableGauge";
  /** In the notation of UCUM. */
  readonly unit: string;
  readonly description: string;
  /** Each value with what distinguishes it from the others of the same instrument. */
  observe(stats: HubStats): Iterable<readonly [value: number, attributes?: Record<string, string>]>;
}

/**
 * The numbers of {@link HubStats}, each in one place. Names are those of OpenTelemetry's conventions for messaging where they
 * mean the same, and are in a namespace of their own where they have no word for it.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/
 */
const measures: { readonly [stat in Exclude<keyof HubStats, "live" | "lagging">]: Measure } = {
  connections: {
    name: "sourcecast.connections",
    create: "createObservableUpDownCounter",
    unit: "{connection}",
    description: "Open connections: at the head of the log, behind it, or not yet at a position",
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
    description: "Channels and prefixes that are followed",
    observe: ({ channels }) => [[channels]],
  },
  head: {
    name: "sourcecast.log.head",
    create: "createObservableGauge",
    unit: "{entry}",
    description: "Offset of the newest entry of the log that has come in",
    observe: ({ head }) => [[head]],
  },
  oldestLag: {
    name: "sourcecast.lag.max",
    create: "createObservableGauge",
    unit: "{entry}",
    description: "How far the slowest connection is behind the head of the log",
    observe: ({ oldestLag }) => [[oldestLag]],
  },
  published: {
    name: "messaging.client.sent.messages",
    create: "createObservableCounter",
    unit: "{message}",
    description: "Events that the log has accepted",
    observe: ({ published }) => [[published, messaging("publish")]],
  },
  deliveries: {
    name: "messaging.client.consumed.messages",
    create: "createObservableCounter",
    unit: "{message}",
    description: "Events that were written, one for each connection",
    observe: ({ deliveries }) => [[deliveries, messaging("deliver")]],
  },
  bytes: {
    name: "sourcecast.delivery.io",
    create: "createObservableCounter",
    unit: "By",
    description: "Bytes of the events that were written",
    observe: ({ bytes }) => [[bytes, { "network.io.direction": "transmit" }]],
  },
  gaps: {
    name: "sourcecast.gaps",
    create: "createObservableCounter",
    unit: "{gap}",
    description: "Losses that were declared to clients, by their reason",
    observe: ({ gaps }) => byName(gaps, "sourcecast.gap.reason"),
  },
  resets: {
    name: "sourcecast.resets",
    create: "createObservableCounter",
    unit: "{reset}",
    description: "Clients whose position meant nothing in this log",
    observe: ({ resets }) => [[resets]],
  },
  conflated: {
    name: "sourcecast.conflated.messages",
    create: "createObservableCounter",
    unit: "{message}",
    description: "Events left out for a reader that lagged because a newer one superseded them",
    observe: ({ conflated }) => [[conflated]],
  },
  refused: {
    name: "sourcecast.refused.requests",
    create: "createObservableCounter",
    unit: "{request}",
    description: "Requests turned away, by the limit that they met",
    observe: ({ refused }) => byName(refused, "sourcecast.limit"),
  },
  stalled: {
    name: "sourcecast.stalled.connections",
    create: "createObservableCounter",
    unit: "{connection}",
    description: "Connections closed because they did not read",
    observe: ({ stalled }) => [[stalled]],
  },
  ringBytes: {
    name: "sourcecast.ring.usage",
    create: "createObservableUpDownCounter",
    unit: "By",
    description: "Encoded events that are kept in memory for those who lag",
    observe: ({ ringBytes }) => [[ringBytes]],
  },
};

/** The meters that have the numbers of a hub whenever they collect. */
export class Meters {
  readonly #hub: Measured;
  readonly #onError: OnError;
  readonly #stops = new Map<MeterLike, () => void>();

  constructor(hub: Measured, onError: OnError) {
    this.#hub = hub;
    this.#onError = onError;
  }

  /** Returns what takes the meter away again. One that is there already is not added: it would count everything twice. */
  add(meter: MeterLike): () => void {
    const stop = this.#stops.get(meter) ?? instrument(this.#hub, meter, this.#onError);
    this.#stops.set(meter, stop);
    return () => {
      if (this.#stops.delete(meter)) stop();
    };
  }

  close(): void {
    for (const stop of this.#stops.values()) stop();
    this.#stops.clear();
  }
}

/** What a meter sees of a hub. */
interface Measured {
  readonly name: string;
  stats(): HubStats;
}

function instrument(hub: Measured, meter: MeterLike, onError: OnError): () => void {
  if (typeof meter?.addBatchObservableCallback !== "function") {
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      `hub.instrument() takes a meter of OpenTelemetry, but got ${quote(meter)}; pass metrics.getMeter("sourcecast")`,
    );
  }
  const instruments = Object.values(measures).map((measure) => {
    const { name, create, unit, description } = measure;
    return { measure, observable: meter[create](name, { unit, description }) };
  });
  const report = (result: ObservableResultLike) => {
    try {
      const stats = hub.stats();
      for (const { measure, observable } of instruments) {
        for (const [value, attributes] of measure.observe(stats)) {
          result.observe(observable, value, { "sourcecast.hub.name": hub.name, ...attributes });
        }
      }
    } catch (error) {
      onError(error, { stage: "meter" });
    }
  };
  const observables = instruments.map(({ observable }) => observable);
  meter.addBatchObservableCallback(report, observables);
  return () => meter.removeBatchObservableCallback(report, observables);
}

function messaging(operation: string): Record<string, string> {
  return { "messaging.system": "sourcecast", "messaging.operation.name": operation };
}

function byName(counts: Readonly<Record<string, number>>, attribute: string): [number, Record<string, string>][] {
  return Object.entries(counts).map(([name, count]) => [count, { [attribute]: name }]);
}
