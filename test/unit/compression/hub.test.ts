import { afterEach, describe, expect, test } from "vitest";
import { createHub, type Hub, type HubOptions, type SubscribeOptions } from "../../../src/index.ts";
import { BodyText, tick } from "../../support/body-text.ts";
import fc from "../../support/properties.ts";
import { request } from "../../support/web.ts";

const gzip = { "accept-encoding": "gzip" };

const hubs: Hub[] = [];
afterEach(() => Promise.all(hubs.splice(0).map((hub) => hub.close())));

function openHub(options: HubOptions = {}): Hub {
  const hub = createHub({ compress: true, keepAlive: false, retry: 1_000, ...options });
  hubs.push(hub);
  return hub;
}

async function subscribe(
  hub: Hub,
  options: Partial<SubscribeOptions> = {},
  headers: Record<string, string> = gzip,
): Promise<BodyText> {
  return new BodyText(await hub.response(request({ headers }), { channels: ["news"], ...options }));
}

/** Publishes and lets everything leave. */
async function publish(hub: Hub, channel: string, text: string): Promise<string> {
  const cursor = await hub.channel(channel).dispatch("t", text);
  await tick();
  return cursor;
}

describe("the encoding of a subscription", () => {
  test.each([
    ["the hub's option", true, {}, "gzip"],
    ["the subscription's option", undefined, { compress: true }, "gzip"],
    ["a threshold", undefined, { compress: { threshold: 5 } }, "gzip"],
    ["no option", undefined, {}, null],
    ["false over the hub's", true, { compress: false }, null],
    ["a filter", true, { filter: () => true }, null],
    ["a sender", true, { sender: "ada" }, null],
    ["a label", true, { label: true }, "gzip"],
  ] as const)("with %s", async (_, compress, options, expected) => {
    const { encoding, response } = await subscribe(openHub({ compress } as HubOptions), options);
    expect([encoding, response.headers.get("vary")]).toEqual([expected, expected && "accept-encoding"]);
  });

  test("none for a client that does not accept it, and none for HEAD: both vary", async () => {
    const hub = openHub();
    const plain = await subscribe(hub, {}, {});
    const head = await hub.response(request({ method: "HEAD", headers: gzip }), { channels: ["news"] });
    for (const { headers } of [plain.response, head]) {
      expect([headers.get("content-encoding"), headers.get("vary")]).toEqual([null, "accept-encoding"]);
    }
  });

  test("a channel can have the option for its responses", async () => {
    const hub = openHub({ compress: false });
    const encodingOf = async (response: Promise<Response>) => (await response).headers.get("content-encoding");
    const channel = hub.channel("news", { compress: true });
    expect(await encodingOf(channel.response(request({ headers: gzip })))).toBe("gzip");
    expect(await encodingOf(channel.response(request({ headers: gzip }), { compress: false }))).toBe(null);
    expect(await encodingOf(hub.channel("news").response(request({ headers: gzip })))).toBe(null);
  });

  test("an answer in place of a stream has none", async () => {
    const hub = openHub({ authorize: () => false });
    const { status, headers } = await hub.response(request({ headers: gzip }), { channels: ["news"] });
    expect([status, headers.get("content-encoding")]).toEqual([403, null]);
  });
});

describe("subscriptions of the same channels", () => {
  test("share their blocks, those of others and with labels do not", async () => {
    const hub = openHub();
    const readers = await Promise.all([
      subscribe(hub),
      subscribe(hub),
      subscribe(hub, { channels: ["news", "other"] }),
      subscribe(hub, { label: true }),
    ]);
    await tick();
    for (const reader of readers) await reader.read();
    let chunks: (Uint8Array | undefined)[] = [];
    for (let n = 0; n < 4; n++) {
      await publish(hub, "news", "the same words");
      chunks = await Promise.all(readers.map((reader) => reader.read()));
    }
    expect(chunks[1]).toBe(chunks[0]);
    expect(new Set(chunks).size).toBe(3);
    for (const chunk of chunks) expect(chunk?.length).toBeLessThan(35);
  });

  test("a client that comes later is sent its replay alone, and is in step some events later", async () => {
    const hub = openHub();
    const first = await subscribe(hub);
    await tick();
    await first.read();
    const start = await publish(hub, "news", "before the replay");
    for (let n = 0; n < 3; n++) await publish(hub, "news", "part of the replay");
    for (let n = 0; n < 4; n++) await first.read();
    const second = await subscribe(hub, {}, { ...gzip, "last-event-id": start });
    await tick();
    await second.read();
    let [one, two]: (Uint8Array | undefined)[] = [];
    for (let n = 0; n < 8; n++) {
      await publish(hub, "news", "for both");
      [one, two] = await Promise.all([first.read(), second.read()]);
    }
    expect(two).toBe(one);
    await hub.close();
    expect((await second.rest()).split("part of the replay")).toHaveLength(4);
  });
});

describe("the body of each subscription", () => {
  const reader = fc.nat({ max: 4 });
  const channel = fc.constantFrom("news", "other", "secret");
  const text = fc.oneof(
    { weight: 9, arbitrary: fc.string({ unit: fc.constantFrom("a", "b", "é", "\n"), maxLength: 60 }) },
    { weight: 1, arbitrary: fc.constantFrom("x".repeat(300), "y".repeat(70_000)) },
  );
  const step = fc.oneof(
    { weight: 16, arbitrary: fc.record({ publish: channel, text }) },
    { weight: 4, arbitrary: fc.record({ burst: fc.array(fc.tuple(channel, text), { maxLength: 5 }) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        channels: fc.constantFrom(["news"], ["news", "secret"], ["news", "other", "secret"], ["*"]),
        label: fc.boolean(),
        mayRead: fc.boolean(),
        after: fc.nat(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ read: reader }) },
    { weight: 1, arbitrary: fc.record({ end: channel }) },
  );

  test("is that of a subscription without compression, whatever happens", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 50, size: "max" }), async (steps) => {
        // Not all clients may read all channels: their output differs from event to event.
        const hub = openHub({
          authorize: ({ request: { headers }, channel: name }) =>
            name !== "secret" || headers.get("may-read") === "true",
        });
        const cursors: string[] = [await hub.cursor()];
        // Each with a twin that is treated alike and accepts no encoding.
        const pairs: [BodyText, BodyText][] = [];
        for (const one of steps) {
          if ("publish" in one) cursors.push(await publish(hub, one.publish, one.text));
          else if ("burst" in one) {
            await Promise.all(one.burst.map(([name, data]) => hub.channel(name).dispatch("t", data)));
            await tick();
          } else if ("channels" in one) {
            const { after, mayRead, ...options } = one;
            const headers = { "may-read": `${mayRead}`, "last-event-id": cursors[after % cursors.length] as string };
            pairs.push(
              await Promise.all([subscribe(hub, options, { ...headers, ...gzip }), subscribe(hub, options, headers)]),
            );
            await tick();
          } else if ("read" in one)
            for (const body of pairs[one.read % Math.max(1, pairs.length)] ?? []) void body.read();
          else await hub.channel(one.end).end();
        }
        // Events that a reader had no room for are sent as it reads.
        const texts = pairs.map((pair) => Promise.all(pair.map((body) => body.rest())));
        while (hub.stats().lagging > 0) await tick();
        await hub.close();
        for (const [compressed, plain] of await Promise.all(texts)) expect(compressed).toBe(plain);
      }),
      { numRuns: 30 },
    );
  }, 20_000);
});
