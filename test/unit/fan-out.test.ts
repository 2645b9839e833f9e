import { expect, test } from "vitest";
import { EventSourceSet, type SourceOptions } from "../../src/index.ts";
import fc from "../support/properties.ts";
import { openSource, tick } from "../support/web.ts";

// A set keeps its events until the end of the tick. Each member receives the same as if they left at once.

const members = fc.nat(3);
const sets = fc.nat(1);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("dispatch"), set: sets, size: fc.constantFrom(1, 10, 9_000) }) },
  fc.record({ do: fc.constant("object"), set: sets }),
  fc.record({ do: fc.constant("own"), member: members }),
  fc.record({ do: fc.constant("add"), set: sets, member: members }),
  fc.record({ do: fc.constant("delete"), set: sets, member: members }),
  fc.record({ do: fc.constant("look"), member: members }),
  fc.record({ do: fc.constant("render"), member: members }),
  fc.record({ do: fc.constant("close"), member: members }),
  fc.record({ do: fc.constant("react"), set: sets, member: members }),
  fc.record({ do: fc.constant("tick") }),
);
type Step = { do: string; set?: number; member?: number; size?: number };

/** The numbers of the events in a body, in order. */
const numbersIn = (text: string) =>
  Array.from(text.matchAll(/^data: (?:\{"n":)?(\d+)/gm), ([, number]) => Number(number));

async function play(steps: readonly Step[]): Promise<void> {
  // One of them drops events, and one renders.
  const own: SourceOptions[] = [
    {},
    {},
    { maxBufferedBytes: 20_000, onOverflow: "drop" },
    { render: async (value: { n: number }) => String(value.n) },
  ];
  const clients = own.map((options) => ({ source: openSource({ keepAlive: false, ...options }) }));
  const groups = [
    [0, 1],
    [1, 3],
  ].map((first) => new EventSourceSet(first.map((index) => clients[index]?.source as never)));
  const expected: number[][] = clients.map(() => []);
  let count = 0;
  /** Sends a number through a set. A member that dropped it has one less in the number that was served. */
  const send = (set: EventSourceSet, data: (number: number) => unknown) => {
    const number = ++count;
    const before = clients.map(({ source }) => source.dropped);
    const served = set.dispatch("tick", data(number));
    const receivers = clients.filter(
      ({ source }, index) => set.has(source) && source.closeReason === null && source.dropped === before[index],
    );
    expect(served).toBe(receivers.length);
    for (const client of receivers) expected[clients.indexOf(client)]?.push(number);
  };
  for (const { do: what, set = 0, member = 0, size = 0 } of steps) {
    const group = groups[set] as EventSourceSet;
    const { source } = clients[member] as (typeof clients)[number];
    if (what === "dispatch") send(group, (number) => `${number} ${"x".repeat(size)}`);
    else if (what === "object") send(group, (n) => ({ n }));
    else if (what === "own") {
      if (source.dispatch("own", String(++count))) expected[member]?.push(count);
    } else if (what === "add") group.add(source);
    else if (what === "delete") group.delete(source);
    else if (what === "look") {
      const [amount, received] = [source.bufferedAmount, expected[member]?.length];
      send(groups[0] as EventSourceSet, (number) => `${number} `);
      // An event that waits with the set counts for each member. One that is being rendered has no size yet.
      const isLarger = member !== 3 && expected[member]?.length !== received;
      if (isLarger) expect(source.bufferedAmount).toBeGreaterThan(amount);
    } else if (what === "render") {
      if (source.dispatch("own", { n: ++count })) expected[member]?.push(count);
    } else if (what === "close") void source.close();
    else if (what === "react") {
      // The listener runs in the middle of whatever closes the source.
      source.addEventListener("close", () => send(group, (number) => `${number} `), { once: true });
    } else await tick();
  }
  await tick();
  for (const { source } of clients) await source.close();
  await tick();
  const texts = await Promise.all(clients.map(({ source }) => source.response().text()));
  expect(texts.map(numbersIn)).toEqual(expected);
}

test("each member receives the events of its sets and its own in the order of the calls", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => play(steps as Step[])),
    { numRuns: 300 },
  );
}, 60_000);
