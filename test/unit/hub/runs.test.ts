// Past events that several clients receive as one piece.
import { afterEach, describe, expect, test, vi } from "vitest";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { WebSink } from "../../../src/sinks/web.ts";
import { Frame } from "../../../src/wire/frame.ts";
import { type HubClient, joined, openHub } from "../../support/hub.ts";
import { request, tick } from "../../support/web.ts";

afterEach(() => vi.restoreAllMocks());

type Options = Parameters<typeof openHub>[0];
const homes: [name: string, options: Options][] = [
  ["the ring", {}],
  ["pages of the log", { ring: { maxEvents: 1 } }],
];

/** Everything that a client of a hub has received, with ids. */
function told({ parser }: HubClient): string[] {
  return parser.events.map(({ type, data, lastEventId }, index) => {
    return `${parser.channels[index] ?? "-"} ${type} ${data} ${lastEventId}`;
  });
}

/** A sequence in which everything occurs that ends a run, or is left out of one. The same for the same seed. */
async function history({ hub }: ReturnType<typeof openHub>, seed: number, steps: number): Promise<string[]> {
  const cursors = [await hub.cursor()];
  let state = seed;
  const draw = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  for (let step = 0; step < steps; step++) {
    const channel = hub.channel(["a/1", "a/2", "b"][draw(3)] as string);
    const what = draw(12);
    if (what === 0) cursors.push(await channel.end());
    else if (what === 1) await channel.clear();
    else if (what < 5) cursors.push(await channel.dispatch("v", step, { key: `k${draw(2)}` }));
    else cursors.push(await channel.dispatch("n", `${step}\n`.repeat(1 + draw(3))));
  }
  return cursors;
}

describe.each(homes)("from %s", (_, options) => {
  test.each([1, 2, 3, 4, 5, 6])("a client receives what it would receive one by one (history %i)", async (seed) => {
    const log = memoryLog();
    const shared = openHub({ ...options, log });
    // An answer for each channel of a prefix is asked one by one, so nothing is sent in runs.
    const single = openHub({ ...options, log, authorize: () => true });
    const cursors = await history(shared, seed, 60);
    await tick();
    for (const label of [false, true]) {
      for (const lastEventId of cursors.filter((_, index) => index % 7 === 0)) {
        const [one, two, other] = await Promise.all(
          [shared, shared, single].map(({ hub }) => joined(hub, { channels: ["a/*"], label }, { lastEventId })),
        );
        expect(told(one as HubClient)).toEqual(told(other as HubClient));
        expect(told(two as HubClient)).toEqual(told(other as HubClient));
      }
    }
    const counts = [shared, single].map(({ hub }) => hub.stats());
    expect(counts[0]?.deliveries).toBe(2 * (counts[1]?.deliveries as number));
    expect(counts[0]?.bytes).toBe(2 * (counts[1]?.bytes as number));
  });

  test("a hundred clients at one position share the bytes of a hundred events", async () => {
    const { hub } = openHub(options);
    const news = hub.channel("news");
    const first = await news.dispatch("n", 0);
    for (let n = 1; n <= 100; n++) await news.dispatch("n", n);
    await tick();
    const join = vi.spyOn(Frame.prototype, "join");
    const clients = await Promise.all(Array.from({ length: 100 }, () => joined(hub, "news", { lastEventId: first })));
    // One for each event, and two for each client: its opening, its position, and the replay are one piece.
    expect(join.mock.calls.length).toBeLessThan(100 + 2 * 100 + 10);
    for (const { data } of clients) expect(data).toEqual(Array.from({ length: 100 }, (_, n) => String(n + 1)));
  });

  test("events that are published between two reconnects are in the second replay", async () => {
    const { hub } = openHub(options);
    const news = hub.channel("news");
    const first = await news.dispatch("n", 0);
    for (let n = 1; n <= 20; n++) {
      await news.dispatch("n", n);
      await tick();
      const client = await joined(hub, "news", { lastEventId: first });
      expect(client.data).toHaveLength(n);
      await client.leave();
    }
  });

  test("a client may be told of fewer events than a run has: the limit holds", async () => {
    const { hub } = openHub({ ...options, limits: { maxReplay: 10 } });
    const news = hub.channel("news");
    const first = await news.dispatch("n", 0);
    for (let n = 1; n <= 30; n++) await news.dispatch("n", n);
    await tick();
    const client = await joined(hub, "news", { lastEventId: first });
    expect(client.data).toHaveLength(10);
    expect(client.control("gap")).toMatchObject([{ reason: "limit", missed: 20 }]);
  });

  test("a client that reads slowly makes the process hold no more than a part of its replay", async () => {
    const { hub } = openHub(options);
    const news = hub.channel("news");
    const first = await news.dispatch("n", 0);
    for (let n = 1; n <= 400; n++) await news.dispatch("n", "x".repeat(1_000));
    await tick();
    const unread = { request: request({ headers: { "last-event-id": first } }), sink: new WebSink(undefined) };
    const slow = await hub.open(unread, { channels: ["news"] });
    for (let turn = 0; turn < 8; turn++) await tick();
    expect(slow?.bufferedAmount).toBeGreaterThan(60_000);
    // The body holds one part, another waits for the end of the turn, and the last run to fit comes on top.
    expect(slow?.bufferedAmount).toBeLessThan((64 + 64 + 34) * 1_024);
    await slow?.close();
  });

  test("a channel that a client may not read is not in its run", async () => {
    const { hub } = openHub({ ...options, authorize: ({ channel }) => channel !== "secret" });
    const first = await hub.channel("open").dispatch("n", 0);
    for (let n = 1; n <= 10; n++) {
      await hub.channel("secret").dispatch("n", "secret");
      await hub.channel("open").dispatch("n", n);
    }
    await tick();
    const client = await joined(hub, { channels: ["open", "secret"], label: true }, { lastEventId: first });
    expect(client.data).toEqual(Array.from({ length: 10 }, (_, n) => String(n + 1)));
  });
});
