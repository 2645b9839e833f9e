import { describe, expect, test, vi } from "vitest";
import { EventSource, type Overflow, type SourceOptions } from "../../src/index.ts";
import { type BodyReader, openWeb, tick } from "../support/web.ts";

const kilobyte = "x".repeat(1_024);

/** A source whose client has read the opening and stops reading. */
async function openStalled(options: SourceOptions): Promise<{ source: EventSource; client: BodyReader }> {
  const { source, client } = openWeb(options);
  await client.read();
  return { source, client };
}

/** Dispatches until one is refused, or 100 are through. */
function fill(source: EventSource): number {
  let sent = 0;
  while (sent < 100 && source.dispatch("t", kilobyte)) sent++;
  return sent;
}

describe("the bound on memory", () => {
  test.each<[SourceOptions["maxBufferedBytes"], number]>([
    [10_000, 9],
    ["10kb", 9],
    ["80kb", 78],
  ])("maxBufferedBytes %s holds for bufferedAmount at every moment", async (maxBufferedBytes, fits) => {
    const { source } = await openStalled({ maxBufferedBytes: maxBufferedBytes as number });
    expect(fill(source)).toBe(fits);
    expect(source.bufferedAmount).toBeLessThanOrEqual(80 * 1_024);
  });

  test("is a megabyte by default", async () => {
    const { source } = await openStalled({ onOverflow: "drop" });
    while (source.dispatch("t", kilobyte.repeat(10)));
    expect(source.bufferedAmount).toBeGreaterThan(1_024 ** 2 - 11 * 1_024);
    expect(source.bufferedAmount).toBeLessThanOrEqual(1_024 ** 2);
  });

  test("one event that is larger is sent nevertheless when nothing waits", async () => {
    const { source, client } = await openStalled({ maxBufferedBytes: 100 });
    expect(source.dispatch("t", kilobyte)).toBe(true);
    expect((await client.next()).data).toBe(kilobyte);
    expect(source.dispatch("t", kilobyte)).toBe(true);
  });

  test("comments count as well", async () => {
    const { source } = await openStalled({ maxBufferedBytes: 5_000, onOverflow: "drop" });
    fill(source);
    expect(source.dispatchComment(kilobyte)).toBe(false);
  });

  test("the opening counts too, and there is room again once it is read", async () => {
    const { source, client } = openWeb({ maxBufferedBytes: 100, onOverflow: "drop" });
    expect(source.dispatch("t", "x".repeat(90))).toBe(false);
    await client.read();
    expect(source.dispatch("t", "x".repeat(90))).toBe(true);
  });

  test("a reader that waits takes what the tick has gathered before anything overflows", async () => {
    const { source, client } = await openStalled({ maxBufferedBytes: 4_096, onOverflow: "close" });
    const reading = client.read();
    for (let n = 0; n < 6; n++) expect(source.dispatch("t", kilobyte)).toBe(true);
    await reading;
    expect(source.readyState).toBe(EventSource.OPEN);
  });
});

describe('onOverflow: "close", the default', () => {
  test("ends the stream with the reason overflow, and the client gets whole events and a clean end", async () => {
    const { source, client } = await openStalled({ maxBufferedBytes: 5_000 });
    const heard: string[] = [];
    source.addEventListener("overflow", () => heard.push("overflow"));
    source.addEventListener("close", (event) => heard.push(`close: ${event.reason}`));
    const sent = fill(source);
    expect(heard).toEqual(["overflow", "close: overflow"]);
    expect(source.dispatch("t")).toBe(false);
    expect(await client.rest()).toHaveLength(sent);
    expect(client.parser.complete).toBe(true);
  });
});

describe('onOverflow: "drop"', () => {
  test("leaves events out, counts them, and declares them before the next event", async () => {
    const { source, client } = await openStalled({ maxBufferedBytes: 5_000, onOverflow: "drop" });
    const sent = fill(source);
    expect(source.dropped).toBe(1);
    for (let n = 0; n < 4; n++) expect(source.dispatch("t", kilobyte)).toBe(false);
    expect([source.readyState, source.dropped]).toEqual([EventSource.OPEN, 5]);
    while (client.parser.events.length < sent) await client.next();
    await tick();
    expect(source.dispatch("after", "1")).toBe(true);
    void source.close();
    const events = (await client.rest()).slice(sent);
    expect(events.map((event) => event.type)).toEqual(["sse:gap", "after"]);
    expect(JSON.parse(events[0]?.data as string)).toEqual({ missed: 5, reason: "overflow", exact: true });
  });

  test("several losses are declared each in its place, and their sum is all that was dropped", async () => {
    const { source, client } = await openStalled({ maxBufferedBytes: 3_000, onOverflow: "drop" });
    let next = 0;
    const order: (number | "lost")[] = [];
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 5; n++) {
        const sent = source.dispatch("t", { n: next, kilobyte });
        order.push(sent ? next : "lost");
        next++;
      }
      const before = client.parser.events.length;
      while (client.parser.events.length === before) await client.read();
    }
    source.dispatch("t", { n: next });
    order.push(next);
    void source.close();
    const heard = (await client.rest()).flatMap((event): (number | "lost")[] => {
      const data = JSON.parse(event.data);
      return event.type === "sse:gap" ? Array<"lost">(data.missed).fill("lost") : [data.n as number];
    });
    expect(heard).toEqual(order);
    expect(order.filter((one) => one === "lost")).toHaveLength(source.dropped);
  });

  test("a small event that would fit does not pass by undeclared losses", async () => {
    const { source, client } = await openStalled({ maxBufferedBytes: 5_000, onOverflow: "drop" });
    const sent = fill(source);
    expect(source.dispatch("small", "1")).toBe(true);
    void source.close();
    const events = (await client.rest()).slice(sent);
    expect(events.map((event) => event.type)).toEqual(["sse:gap", "small"]);
  });

  test("losses that no event follows are declared at the end", async () => {
    const { source, client } = await openStalled({ maxBufferedBytes: 5_000, onOverflow: "drop" });
    fill(source);
    void source.close();
    expect((await client.rest()).at(-1)?.type).toBe("sse:gap");
  });

  test("losses that a client did not learn of because it disconnected are not kept", async () => {
    const { source, client } = await openStalled({ maxBufferedBytes: 5_000, onOverflow: "drop" });
    fill(source);
    await client.leave();
    await source.close();
    await tick();
    expect([source.closeReason, source.bufferedAmount]).toEqual(["disconnected", 0]);
  });

  test("overflow and drain are dispatched once for each stall", async () => {
    const { source, client } = await openStalled({ maxBufferedBytes: "70kb", onOverflow: "drop" });
    const heard: unknown[] = [];
    source.addEventListener("overflow", (event) =>
      heard.push(["overflow", event.bufferedAmount > 60_000, event.dropped]),
    );
    source.addEventListener("drain", () => heard.push("drain"));
    fill(source);
    source.dispatch("t", kilobyte.repeat(10));
    expect(heard).toEqual([["overflow", true, 0]]);
    await client.read();
    await vi.waitUntil(() => heard.length === 2);
    const dropped = source.dropped;
    fill(source);
    expect(heard).toEqual([["overflow", true, 0], "drain", ["overflow", true, dropped]]);
  });
});

describe("onOverflow as a function", () => {
  test("is told what waits and what does not fit, and decides each time", async () => {
    const told: Overflow[] = [];
    const decisions = ["keep", "drop", undefined, "close"] as const;
    const { source, client } = await openStalled({
      maxBufferedBytes: 2_000,
      onOverflow: (overflow) => decisions[told.push(overflow) - 1],
    });
    const frame = `event: t\ndata: ${kilobyte}\n\n`.length;
    const results = Array.from({ length: 5 }, () => source.dispatch("t", kilobyte));
    expect(results).toEqual([true, true, false, false, false]);
    expect(told).toEqual([
      { bufferedAmount: frame, byteLength: frame, dropped: 0 },
      { bufferedAmount: 2 * frame, byteLength: frame, dropped: 0 },
      { bufferedAmount: 2 * frame, byteLength: frame, dropped: 1 },
      { bufferedAmount: 2 * frame, byteLength: frame, dropped: 2 },
    ]);
    expect(source.closeReason).toBe("overflow");
    expect((await client.rest()).filter((event) => event.type === "t")).toHaveLength(2);
  });

  test("that throws closes the source, is dispatched as error, and never reaches the caller", async () => {
    const failure = new Error("mine");
    const { source } = await openStalled({
      maxBufferedBytes: 2_000,
      onOverflow: () => {
        throw failure;
      },
    });
    const errors: unknown[] = [];
    source.addEventListener("error", (event) => errors.push(event.error));
    expect(fill(source)).toBe(1);
    expect(errors).toEqual([failure]);
    expect(source.closeReason).toBe("overflow");
  });

  test("may close the source itself, with a reason of its own", async () => {
    const { source } = await openStalled({
      maxBufferedBytes: 2_000,
      onOverflow: () => {
        void source.close("too slow");
        return "keep";
      },
    });
    expect(fill(source)).toBe(1);
    expect(source.closeReason).toBe("too slow");
  });

  test("that dispatches in turn does not run away", async () => {
    let depth = 0;
    const { source } = await openStalled({
      maxBufferedBytes: 2_000,
      onOverflow: () => {
        if (depth++ < 3) source.dispatch("note", kilobyte);
        return "drop";
      },
    });
    expect(fill(source)).toBe(1);
    expect(source.dropped).toBe(4);
  });
});
