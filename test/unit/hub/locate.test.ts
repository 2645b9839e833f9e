// How often a connecting client asks the log.
import { describe, expect, test, vi } from "vitest";
import type { CompleteLog } from "../../../src/log/complete.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { joined, openHub } from "../../support/hub.ts";
import { request, tick } from "../../support/web.ts";

const questions = ["head", "locate", "witnesses", "last", "latestByKey", "read"] as const;
type Calls = Partial<Record<(typeof questions)[number], number>>;

/** A memory log that counts its calls. */
function countingLog(options: Parameters<typeof memoryLog>[0] = {}) {
  const inner = memoryLog(options) as CompleteLog;
  let calls: Calls = {};
  const log = new Proxy(inner, {
    get(target, name) {
      const value = target[name as keyof CompleteLog] as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        const question = questions.find((each) => each === name);
        if (question !== undefined) calls[question] = (calls[question] ?? 0) + 1;
        return value.apply(target, args);
      };
    },
  });
  /** The calls since the last time. */
  const take = (): Calls => {
    const taken = calls;
    calls = {};
    return taken;
  };
  return { log, take };
}

async function publish(hub: ReturnType<typeof openHub>["hub"], count: number, channel = "a"): Promise<string[]> {
  return hub.channel(channel).dispatchAll(Array.from({ length: count }, (_, n) => ({ type: "n", data: n })));
}

describe("the log is asked once", () => {
  test("for a client that reconnects, whatever it has missed, if the ring has it", async () => {
    const { log, take } = countingLog();
    const { hub } = openHub({ log });
    const [first = ""] = await publish(hub, 50);
    take();
    const client = await joined(hub, ["a", "b", "c"], { lastEventId: first });
    expect([client.data.length, take()]).toEqual([49, { locate: 1 }]);
  });

  test("for a new client", async () => {
    const { log, take } = countingLog();
    const { hub } = openHub({ log });
    await publish(hub, 5);
    take();
    await joined(hub, ["a", "b", "prefix/*"]);
    expect(take()).toEqual({ locate: 1 });
  });

  test("for a client to which a gap or a reset is declared", async () => {
    const { log, take } = countingLog({ maxEvents: 2 });
    const { hub } = openHub({ log });
    const [first = ""] = await publish(hub, 10);
    for (const lastEventId of [first, "foreign.1.1", "unreadable"]) {
      take();
      await joined(hub, "a", { lastEventId });
      expect(take()).toEqual({ locate: 1 });
    }
  });

  test("for a client that has received the end of its channels, and gets 204", async () => {
    const { log, take } = countingLog();
    const { hub } = openHub({ log });
    const ends = [await hub.channel("a").end(), await hub.channel("b").end()];
    take();
    const client = await joined(hub, ["a", "b"], { lastEventId: ends[1] });
    expect([client.status, take()]).toEqual([204, { locate: 1 }]);
  });

  test("and read once for each page that the ring does not have", async () => {
    const { log, take } = countingLog();
    const { hub } = openHub({ log, ring: { maxEvents: 1 } });
    const [first = ""] = await publish(hub, 400);
    take();
    const client = await joined(hub, "a", { lastEventId: first });
    expect([client.data.length, take()]).toEqual([399, { locate: 1, read: 1 }]);
  });

  test("and for values only where there are some: page by page", async () => {
    const { log, take } = countingLog();
    const { hub } = openHub({ log });
    await hub.channel("a").dispatch("value", 1, { key: "k" });
    take();
    await joined(hub, "a");
    expect(take()).toEqual({ locate: 1, latestByKey: 1 });
  });
});

describe("10,000 clients that reconnect in one tick", () => {
  test.each([
    ["the ring", undefined, {}],
    // Their positions differ: a page that is being read serves all that it has the entries of.
    ["the log", { maxEvents: 1 }, { read: 20 }],
  ])("cost tens of calls, from %s", { timeout: 60_000 }, async (_, ring, most: Calls) => {
    const { log, take } = countingLog();
    const { hub } = openHub({ log, ...(ring !== undefined && { ring }) });
    const cursors = await publish(hub, 200);
    take();
    const responses = await Promise.all(
      Array.from({ length: 10_000 }, (_, n) =>
        hub.response(request({ headers: { "last-event-id": cursors[(n * 7_919) % 200] as string } }), {
          channels: ["a"],
        }),
      ),
    );
    for (let turn = 0; turn < 1_000 && hub.stats().lagging > 0; turn++) await tick();
    expect(hub.stats()).toMatchObject({ live: 10_000, lagging: 0, deliveries: 50 * 199 * 100 });
    const { locate = 0, read = 0, ...rest } = take();
    expect(locate).toBeLessThanOrEqual(25);
    expect(read).toBeLessThanOrEqual(most.read ?? 0);
    expect(rest).toEqual({});
    await Promise.all(responses.map((response) => response.body?.cancel()));
  });
});

describe("clients that connect in consecutive turns of the event loop", () => {
  /** Connects a client in each turn, and returns how often the log was asked. */
  async function connect(turns: number): Promise<number> {
    const { log, take } = countingLog();
    const { hub } = openHub({ log });
    await publish(hub, 1);
    await tick();
    take();
    // The clock stands still: the machine may be busy, and these clients are to come right after each other.
    const time = performance.now();
    vi.spyOn(performance, "now").mockImplementation(() => time);
    const responses: Promise<Response>[] = [];
    for (let turn = 0; turn < turns; turn++) {
      responses.push(hub.response(request(), { channels: ["a"] }));
      await tick();
    }
    await Promise.all(responses);
    vi.restoreAllMocks();
    return take().locate ?? 0;
  }

  test("are asked for at once, unless they are many", async () => {
    expect(await connect(8)).toBe(8);
  });

  test("share calls in a storm, as long as each turn brings another client, for eight turns at most", async () => {
    expect([await connect(11), await connect(15), await connect(8 + 3 * 9)]).toEqual([10, 10, 12]);
  });
});
