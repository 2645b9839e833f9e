import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createHub, type Hub, type HubOptions } from "../../src/index.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { instrument, type MeterLike, type ObservableResultLike } from "../../src/opentelemetry.ts";
import { BodyReader, tick } from "../support/web.ts";

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** OpenTelemetry as an application has it, with what it would export. */
function openMeter() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 });
  const provider = new MeterProvider({ readers: [reader] });
  closing.push(() => provider.shutdown());

  async function collect(): Promise<Map<string, { unit: string; isCounter: boolean; points: Map<string, number> }>> {
    exporter.reset();
    await provider.forceFlush();
    const scopes = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
    const found = scopes
      .flatMap(({ metrics }) => metrics)
      .map(({ descriptor, dataPoints, ...metric }) => {
        const points = dataPoints.map(({ attributes, value }): [string, number] => [text(attributes), value as number]);
        const isCounter = "isMonotonic" in metric && metric.isMonotonic === true;
        return [descriptor.name, { unit: descriptor.unit, isCounter, points: new Map(points) }] as const;
      });
    return new Map(found);
  }
  return { meter: provider.getMeter("sourcecast"), collect };
}

function openHub(options: HubOptions = {}): Hub {
  const hub = createHub({ name: "news", ...options });
  closing.push(() => hub.close());
  return hub;
}

async function connect(hub: Hub, headers: Record<string, string> = {}, key?: string): Promise<BodyReader> {
  const request = new Request("http://localhost/", { headers });
  const options = { channels: ["room"], ...(key === undefined ? {} : { key }) };
  const client = new BodyReader(await hub.response(request, options));
  void client.rest();
  for (let turn = 0; turn < 5; turn++) await tick();
  return client;
}

/** Attributes as one text, without that of the hub's name. */
function text(attributes: Record<string, unknown>): string {
  const { "sourcecast.hub.name": name, ...others } = attributes;
  expect(name).toBe("news");
  return Object.entries(others)
    .sort()
    .map(([attribute, value]) => `${attribute}=${value}`)
    .join(" ");
}

describe("a meter", () => {
  test("has every number of hub.stats(), under names, units and kinds that do not change by accident", async () => {
    const { meter, collect } = openMeter();
    const hub = openHub({ log: memoryLog({ maxEvents: 3 }), limits: { connectionsPerKey: 1 } });
    instrument(hub, meter);
    const before = await hub.cursor();
    const first = await connect(hub, {}, "ada");
    await connect(hub, {}, "ada");
    for (let count = 0; count < 10; count++) await hub.channel("room").dispatch("news", count);
    await first.leave();
    await connect(hub, { "last-event-id": before });
    await connect(hub, { "last-event-id": "forged" });
    const stats = hub.stats();
    const metrics = await collect();

    const kinds = [...metrics].map(([name, { unit, isCounter }]) => `${name} ${unit}${isCounter ? " counter" : ""}`);
    expect(kinds.sort()).toEqual([
      "messaging.client.consumed.messages {message} counter",
      "messaging.client.sent.messages {message} counter",
      "sourcecast.channels {channel}",
      "sourcecast.conflated.messages {message} counter",
      "sourcecast.connections {connection}",
      "sourcecast.delivery.io By counter",
      "sourcecast.gaps {gap} counter",
      "sourcecast.lag.max {entry}",
      "sourcecast.log.head {entry}",
      "sourcecast.log.outages {process}",
      "sourcecast.refused.requests {request} counter",
      "sourcecast.resets {reset} counter",
      "sourcecast.ring.usage By",
      "sourcecast.stalled.connections {connection} counter",
    ]);
    const points = (name: string) => Object.fromEntries(metrics.get(name)?.points ?? []);
    expect(points("sourcecast.connections")).toEqual({
      "sourcecast.connection.state=live": stats.live,
      "sourcecast.connection.state=lagging": stats.lagging,
      "sourcecast.connection.state=opening": stats.connections - stats.live - stats.lagging,
    });
    expect(points("sourcecast.channels")).toEqual({ "": stats.channels });
    expect(points("sourcecast.log.head")).toEqual({ "": stats.head });
    expect(points("sourcecast.log.outages")).toEqual({ "": 0 });
    expect(points("sourcecast.lag.max")).toEqual({ "": stats.oldestLag });
    expect(points("sourcecast.ring.usage")).toEqual({ "": stats.ringBytes });
    const operation = (name: string) => `messaging.operation.name=${name} messaging.system=sourcecast`;
    expect(points("messaging.client.sent.messages")).toEqual({ [operation("publish")]: stats.published });
    expect(points("messaging.client.consumed.messages")).toEqual({ [operation("deliver")]: stats.deliveries });
    expect(points("sourcecast.delivery.io")).toEqual({ "network.io.direction=transmit": stats.bytes });
    expect(points("sourcecast.gaps")).toEqual({ "sourcecast.gap.reason=trimmed": stats.gaps.trimmed });
    expect(points("sourcecast.resets")).toEqual({ "": stats.resets });
    expect(points("sourcecast.conflated.messages")).toEqual({ "": stats.conflated });
    expect(points("sourcecast.refused.requests")).toEqual({ "sourcecast.limit=connectionsPerKey": 1 });
    expect(points("sourcecast.stalled.connections")).toEqual({ "": stats.stalled });
    expect(stats).toMatchObject({ connections: 2, live: 2, published: 10, resets: 1, gaps: { trimmed: 1 } });
    expect(stats.deliveries).toBeGreaterThan(10);
  });

  test("has what is so at the time of each collection", async () => {
    const { meter, collect } = openMeter();
    const hub = openHub();
    instrument(hub, meter);
    const live = async () =>
      (await collect()).get("sourcecast.connections")?.points.get("sourcecast.connection.state=live");
    expect(await live()).toBe(0);
    const client = await connect(hub);
    expect(await live()).toBe(1);
    await client.leave();
    expect(await live()).toBe(0);
  });

  test("gets one final report of a closed hub, and none of one that was removed", async () => {
    const { meter, collect } = openMeter();
    const [closed, other, last] = [openHub(), openHub(), openHub()];
    instrument(closed, meter);
    const stop = instrument(other, meter);
    instrument(last, meter);
    const asked = [closed, other, last].map((hub) => vi.spyOn(hub, "stats"));
    const counts = () => asked.map((stats) => stats.mock.calls.length);
    await collect();
    expect(counts()).toEqual([1, 1, 1]);
    await closed.close();
    stop();
    stop();
    // The removal of the closed hub must not make the SDK skip the callback after it.
    await collect();
    expect(counts()).toEqual([2, 1, 2]);
    await collect();
    expect(counts()).toEqual([2, 1, 3]);
  });

  test("reports a hub once that it was given twice, and again after it was removed", () => {
    const hub = openHub();
    const { meter, callbacks } = fakeMeter();
    const stops = [instrument(hub, meter), instrument(hub, meter)];
    expect(callbacks.size).toBe(1);
    for (const stop of stops) stop();
    expect(callbacks.size).toBe(0);
    const again = instrument(hub, meter);
    for (const stop of stops) stop();
    expect(callbacks.size).toBe(1);
    again();
    expect(callbacks.size).toBe(0);
  });

  test("of each of two providers reports the same hub", () => {
    const hub = openHub();
    const [one, two] = [fakeMeter(), fakeMeter()];
    instrument(hub, one.meter);
    instrument(hub, two.meter)();
    expect([one.callbacks.size, two.callbacks.size]).toEqual([1, 0]);
  });

  test("needs no more of a hub than its name and its stats()", () => {
    const { meter, callbacks } = fakeMeter();
    const stats = openHub().stats();
    instrument({ name: "a copy", stats: () => stats }, meter);
    const names = new Set<unknown>();
    const observe: ObservableResultLike["observe"] = (_, __, attributes) =>
      names.add(attributes?.["sourcecast.hub.name"]);
    for (const callback of callbacks) callback({ observe });
    expect([...names]).toEqual(["a copy"]);
  });

  test.each([undefined, null, {}, "meter"])("has to be one: %j is not", (meter) => {
    const refused = expect.objectContaining({ code: "ERR_SSE_ARGUMENT" });
    expect(() => instrument(openHub(), meter as never)).toThrow(refused);
    expect(() => instrument(meter as never, fakeMeter().meter)).toThrow(refused);
  });
});

function fakeMeter() {
  const callbacks = new Set<Parameters<MeterLike["addBatchObservableCallback"]>[0]>();
  const meter: MeterLike = {
    createObservableCounter: () => ({}),
    createObservableUpDownCounter: () => ({}),
    createObservableGauge: () => ({}),
    addBatchObservableCallback: (callback) => void callbacks.add(callback),
    removeBatchObservableCallback: (callback) => void callbacks.delete(callback),
  };
  return { meter, callbacks };
}
