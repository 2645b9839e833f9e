import { afterEach, describe, expect, test } from "vitest";
import { windows } from "../../../src/compression/windows.ts";
import { EventSource, EventSourceSet, type SourceOptions } from "../../../src/index.ts";
import { BodyText, tick } from "../../support/body-text.ts";
import fc from "../../support/properties.ts";
import { request } from "../../support/web.ts";

const gzip = { "accept-encoding": "gzip" };
const options: SourceOptions = { keepAlive: false, retry: 1_000, maxBufferedBytes: "64mb" };
const opening = ": open\nretry: 1000\n";

/** A member of a set, or of none, and its client. */
class Reader extends BodyText {
  readonly source: EventSource;

  constructor(set: EventSourceSet | null, headers: Record<string, string> = gzip, own: SourceOptions = {}) {
    const source = new EventSource(request({ headers }), { ...options, ...own });
    set?.add(source);
    super(source.response());
    this.source = source;
  }
}

/** A set that is closed after the test. */
function openSet(compress: ConstructorParameters<typeof EventSourceSet>[0] = { compress: true }): EventSourceSet {
  const set = new EventSourceSet(compress as { compress: true });
  sets.push(set);
  return set;
}
const sets: EventSourceSet[] = [];
afterEach(() => {
  for (const set of sets.splice(0)) set.closeAll();
});

describe("the encoding of a response", () => {
  test("gzip for a client that accepts it, and it varies", () => {
    const { encoding, response } = new Reader(openSet());
    expect([encoding, response.headers.get("vary")]).toEqual(["gzip", "accept-encoding"]);
  });

  test("none for a client that does not, and it varies nevertheless", async () => {
    const set = openSet();
    const reader = new Reader(set, {});
    expect([reader.encoding, reader.response.headers.get("vary")]).toEqual([null, "accept-encoding"]);
    set.dispatch("t", 1);
    set.closeAll();
    expect(await reader.rest()).toBe(`${opening}event: t\ndata: 1\n\n`);
  });

  test("none, and nothing that varies, for a set without the option and for a source without a set", async () => {
    openSet();
    for (const set of [openSet({}), openSet({ compress: false } as never), null]) {
      const { encoding, response, source } = new Reader(set);
      expect([encoding, response.headers.get("vary")]).toEqual([null, null]);
      await source.close();
    }
  });

  test.each([{ "content-encoding": "br" }, { "content-encoding": null }])(
    "that of the application, where it sets one or removes it: %j",
    (headers) => {
      expect(new Reader(openSet(), gzip, { headers }).encoding).toBe(headers["content-encoding"]);
    },
  );

  test("is fixed when the header is made: a source that is added later is served without compression", async () => {
    const set = openSet();
    const reader = new Reader(null);
    set.add(reader.source);
    set.dispatch("t", 1);
    set.closeAll();
    expect([reader.encoding, await reader.rest()]).toEqual([null, `${opening}event: t\ndata: 1\n\n`]);
  });

  test("is fixed when the first bytes have left, too", async () => {
    const set = openSet();
    const source = new EventSource(request({ headers: gzip }), options);
    await tick();
    set.add(source);
    expect(source.response().headers.get("content-encoding")).toBe(null);
  });

  test("stays when the source leaves the set", async () => {
    const set = openSet();
    const reader = new Reader(set);
    set.dispatch("t", 1);
    await tick();
    set.delete(reader.source);
    reader.source.dispatch("own", 2);
    await reader.source.close();
    expect(await reader.rest()).toBe(`${opening}event: t\ndata: 1\n\nevent: own\ndata: 2\n\n`);
  });
});

describe("the blocks of a group", () => {
  test("are the same bytes for all readers, and refer to the events before them", async () => {
    const set = openSet();
    const readers = [new Reader(set), new Reader(set), new Reader(set)];
    await tick();
    for (const reader of readers) await reader.read();
    const lengths: number[] = [];
    for (let n = 0; n < 20; n++) {
      set.dispatch("price", { symbol: "SRC", price: n * 17 });
      await tick();
      const [first, ...others] = await Promise.all(readers.map((reader) => reader.read()));
      for (const other of others) expect(other).toBe(first);
      lengths.push(first?.length as number);
    }
    // The first one has no context.
    expect(lengths[0]).toBeGreaterThan(40);
    expect(Math.max(...lengths.slice(2))).toBeLessThan(25);
  });

  test("a reader with bytes of its own gets stored blocks until a fresh one, which the others pay for in time", async () => {
    const set = openSet();
    const [one, ...others] = Array.from({ length: 4 }, () => new Reader(set)) as [Reader, ...Reader[]];
    const lengthsOf = async (count: number) => {
      const lengths: number[] = [];
      for (let n = 0; n < count; n++) {
        set.dispatch("price", { symbol: "SRC", price: n * 17 });
        await tick();
        lengths.push((await one.read())?.length as number);
      }
      return lengths;
    };
    await tick();
    await one.read();
    await lengthsOf(5);
    one.source.dispatch("own", 1);
    await tick();
    await one.read();
    const lengths = await lengthsOf(10);
    const joinedAt = lengths.findIndex((length) => length < 30);
    // It has waited for as many events as there are others, about.
    expect(joinedAt).toBeGreaterThan(2);
    expect(joinedAt).toBeLessThan(8);
    expect(lengths.slice(0, joinedAt - 1).every((length) => length > 50)).toBe(true);
    for (const { source } of others) await source.close();
  });

  test("a reader whose bytes leave before the end of the tick does not take the others out of step", async () => {
    const set = openSet();
    const [one, slow] = [new Reader(set), new Reader(set)];
    await tick();
    await Promise.all([one.read(), slow.read()]);
    set.dispatch("t", "x".repeat(80));
    await tick();
    await Promise.all([one.read(), slow.read()]);
    // More than the body takes at once.
    slow.source.dispatch("own", "y".repeat(65_000));
    slow.source.dispatch("own", "y".repeat(65_000));
    await tick();
    set.dispatch("t", "x".repeat(80));
    while (slow.source.bufferedAmount > 1_000) await slow.read();
    set.dispatch("t", "x".repeat(80));
    await tick();
    expect((await one.read())?.length).toBeLessThan(30);
  });

  test("begin with the threshold", async () => {
    const set = openSet({ compress: { threshold: 2 } } as never);
    const text = "x".repeat(1_000);
    const first = new Reader(set);
    await tick();
    await first.read();
    set.dispatch("t", text);
    await tick();
    expect((await first.read())?.length).toBeGreaterThan(1_000);
    const second = new Reader(set);
    await tick();
    set.dispatch("t", text);
    await tick();
    expect([first.encoding, second.encoding]).toEqual(["gzip", "gzip"]);
    expect((await first.read())?.length).toBeLessThan(100);
  });

  test("a group without a reader in step has no context", async () => {
    const before = windows.size;
    const set = openSet();
    const reader = new Reader(set);
    await tick();
    set.dispatch("t", 1);
    await tick();
    expect(windows.size).toBe(before + 1);
    reader.source.dispatchComment("as a keep-alive is");
    await tick();
    expect(windows.size).toBe(before);
    set.dispatch("t", 1);
    await tick();
    await reader.source.close();
    expect(windows.size).toBe(before);
  });
});

describe("the body of each reader", () => {
  const reader = fc.nat({ max: 4 });
  const short = fc.string({ unit: fc.constantFrom("a", "b", "é", "\n"), maxLength: 60 });
  const long = fc.oneof(
    fc.constantFrom("x".repeat(300), "y".repeat(70_000), "z".repeat(300_000)),
    fc.integer().map((seed) => Array.from({ length: 500 }, (_, n) => Math.imul(seed + n, 2654435761)).join()),
  );
  const text = fc.oneof({ weight: 9, arbitrary: short }, { weight: 1, arbitrary: long });
  const step = fc.oneof(
    { weight: 24, arbitrary: fc.record({ publish: text }) },
    { weight: 4, arbitrary: fc.record({ dispatch: text }) },
    { weight: 3, arbitrary: fc.constant({ open: true } as const) },
    { weight: 3, arbitrary: fc.record({ own: reader, text }) },
    { weight: 2, arbitrary: fc.record({ read: reader }) },
    { weight: 1, arbitrary: fc.record({ leave: reader }) },
    { weight: 1, arbitrary: fc.record({ rejoin: reader }) },
    { weight: 1, arbitrary: fc.record({ close: reader }) },
  );

  test("is that of a reader without compression, whatever happens", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: "max" }), async (steps) => {
        const set = openSet();
        // Each with a twin that is treated alike and accepts no encoding.
        const pairs: [Reader, Reader][] = [];
        const both = (index: number, act: (one: Reader) => unknown) => {
          const pair = pairs[index % Math.max(1, pairs.length)];
          for (const one of pair ?? []) act(one);
        };
        for (const one of steps) {
          if ("publish" in one) {
            set.dispatch("t", one.publish);
            await tick();
          } else if ("open" in one) pairs.push([new Reader(set), new Reader(set, {})]);
          else if ("dispatch" in one) set.dispatch("t", one.dispatch);
          else if ("own" in one) both(one.own, ({ source }) => source.dispatch("own", one.text));
          // One that is never told to read is full after 64 kB.
          else if ("read" in one) both(one.read, (reader) => void reader.read());
          else if ("leave" in one) both(one.leave, ({ source }) => set.delete(source));
          else if ("rejoin" in one) both(one.rejoin, ({ source }) => set.add(source));
          else both(one.close, ({ source }) => void source.close());
        }
        for (const { source } of pairs.flat()) void source.close();
        for (const [compressed, plain] of pairs) {
          expect(compressed.encoding).toBe("gzip");
          expect(await compressed.rest()).toBe(await plain.rest());
        }
      }),
      { numRuns: 60 },
    );
  }, 20_000);
});
