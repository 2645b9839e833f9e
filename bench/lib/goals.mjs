import { medianOf } from "./figures.mjs";

/** @typedef {(contender: string, figure: string) => number} Read The median in the benchmark and group of a goal. */

/**
 * The goals, as ratios within one run, and the figures that they are computed from.
 *
 * @type {{ title: string, measure: string, group: string, value: (read: Read) => number, most?: number, least?: number, unit?: string }[]}
 */
const goals = [
  ...[
    { peer: "control-c", name: "the writer in C", most: 1.1 },
    { peer: "control-chunk", name: "the prebuilt chunk", most: 1.1 },
    { peer: "control-write", name: "`response.write()`", most: 0.75 },
    { peer: "better-sse", name: "better-sse", most: 0.55 },
    { peer: "hono-stream-sse", name: "Hono's `streamSSE()`", most: 0.15 },
  ].map(({ peer, name, most }) => ({
    title: `a delivery of a set, compared with ${name}`,
    measure: "fan-out",
    group: "10000",
    value: (/** @type {Read} */ read) => read("set", "cpu-100") / read(peer, "cpu-100"),
    most,
  })),
  {
    title: "the same over HTTP, compared with nchan",
    measure: "publishers",
    group: "10000",
    value: (read) => read("set", "cpu-1") / read("nchan", "cpu-1"),
    most: 0.9,
  },
  {
    title: "a hub on memory, compared with a set",
    measure: "fan-out",
    group: "10000",
    value: (read) => read("hub-memory", "cpu-100") / read("set", "cpu-100"),
    most: 1.15,
  },
  {
    title: "a hub on SQLite, compared with a set",
    measure: "fan-out",
    group: "10000",
    value: (read) => read("hub-sqlite", "cpu-100") / read("set", "cpu-100"),
    most: 1.25,
  },
  {
    title: "8 publishers in flight, compared with nchan",
    measure: "publishers",
    group: "10000",
    value: (read) => read("set", "rate-8") / read("nchan", "rate-8"),
    least: 5,
  },
  {
    title: "8 publishers in flight, compared with better-sse",
    measure: "publishers",
    group: "10000",
    value: (read) => read("set", "rate-8") / read("better-sse", "rate-8"),
    least: 10,
  },
  {
    title: "deliveries of 16 events in a tick, compared with batteries of one",
    measure: "bursts",
    group: "16",
    value: (read) => read("set 1", "cpu") / read("set", "cpu"),
    least: 8,
  },
  {
    title: "a web response on Hono, compared with `streamSSE()`",
    measure: "fan-out",
    group: "10000",
    value: (read) => read("hono-set", "cpu-100") / read("hono-stream-sse", "cpu-100"),
    most: 0.6,
  },
  {
    title: "a web response on Hono, compared with the leanest by hand",
    measure: "fan-out",
    group: "10000",
    value: (read) => read("hono-set", "cpu-100") / read("hono-by-hand", "cpu-100"),
    most: 1,
  },
  ...[
    { contender: "set", name: "an idle connection of a set", most: 1_500 },
    { contender: "hub-memory", name: "an idle subscription of a hub", most: 3_000 },
  ].map(({ contender, name, most }) => ({
    title: `${name}, bytes of the process above \`response.write()\``,
    measure: "connections",
    group: "10000",
    value: (/** @type {Read} */ read) => read(contender, "rss") - read("control-write", "rss"),
    most,
    unit: "B",
  })),
  ...[
    { contender: "set", name: "a connection of a set", most: 1.1 },
    { contender: "hub-memory", name: "a subscription of a hub on memory", most: 1.25 },
  ].map(({ contender, name, most }) => ({
    title: `accepting ${name}, compared with \`response.write()\``,
    measure: "connections",
    group: "10000",
    value: (/** @type {Read} */ read) => read(contender, "accept") / read("control-write", "accept"),
    most,
  })),
  {
    title: "latency of a set at half load, 99 % within, compared with `response.write()`",
    measure: "latency",
    group: "50",
    value: (read) => read("set", "p99") / read("control-write", "p99"),
    most: 1.2,
  },
  {
    title: "a storm of 10,000, compared with ten storms of 1,000",
    measure: "storm",
    group: "10000",
    value: (read) => read("hub-memory", "seconds") / (10 * read("hub-memory 1000", "seconds")),
    most: 1.2,
  },
  ...[
    { contender: "hub-memory", name: "on memory", most: 1.2 },
    { contender: "hub-sqlite", name: "on SQLite", most: 1.6 },
  ].map(({ contender, name, most }) => ({
    title: `a storm of 10,000 ${name}, compared with one write by hand`,
    measure: "storm",
    group: "10000",
    value: (/** @type {Read} */ read) => read(contender, "cpu") / read("control-replay", "cpu"),
    most,
  })),
  {
    title: "live subscribers in a storm of 10,000, 99 % within, compared with a quiet time",
    measure: "storm",
    group: "10000",
    value: (read) => read("hub-memory", "during") / read("hub-memory", "quiet"),
    most: 2,
  },
  {
    title: "a publish to one of 100,000 channels, compared with a hub with one channel",
    measure: "channels",
    group: "",
    value: (read) => read("100,000 channels", "cpu") / read("1 channel", "cpu"),
    most: 1.1,
  },
];

/** The table of goals and results in Markdown, without goals that were not measured. */
export function goalTable() {
  const rows = goals.flatMap(({ title, measure, group, value, most, least, unit = "×" }) => {
    const figure = value((contender, name) => {
      const own = medianOf(measure, group, contender, name);
      const [, who = contender, other = group] = /^(.+) (\d+)$/.exec(contender) ?? [];
      return Number.isNaN(own) ? medianOf(measure, other, who, name) : own;
    });
    if (Number.isNaN(figure)) return [];
    const isReached = most === undefined ? figure >= Number(least) : figure <= most;
    const show = (/** @type {number} */ number) =>
      unit === "×" ? `${number.toFixed(2)} ×` : `${Math.round(number)} ${unit}`;
    const goal = most === undefined ? `≥ ${show(Number(least))}` : `≤ ${show(most)}`;
    return [`| ${title} | ${goal} | ${show(figure)} | ${isReached ? "yes" : "**no**"} |`];
  });
  return ["| figure | goal | measured | reached |", "|---|---|---|---|", ...rows].join("\n");
}
