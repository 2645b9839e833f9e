import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createHub } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { follow, type HubClient, joined, openHub } from "../../support/hub.ts";
import { request, tick } from "../../support/web.ts";

function fakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
}

/** When each of the clients ended, in seconds. */
async function endsOf(clients: readonly HubClient[], seconds: number): Promise<(number | undefined)[]> {
  const ends: (number | undefined)[] = clients.map(() => undefined);
  for (let second = 1; second <= seconds; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    await tick();
    clients.forEach((client, n) => {
      if (client.ended) ends[n] ??= second;
    });
  }
  return ends;
}

describe("limits.lifetime", () => {
  fakeTime();

  test("ends a connection after it, less a random tenth; its client comes back and misses nothing", async () => {
    const { hub } = openHub({ limits: { maxLifetime: "100s" } });
    const clients: HubClient[] = [];
    for (const random of [0, 0.5, 0.999]) {
      vi.spyOn(Math, "random").mockReturnValue(random);
      clients.push(await joined(hub, "a"));
      vi.restoreAllMocks();
    }
    const ends = (await endsOf(clients, 105)) as number[];
    for (const [n, expected] of [100, 95, 90].entries()) {
      expect(ends[n]).toBeGreaterThanOrEqual(expected);
      expect(ends[n]).toBeLessThanOrEqual(expected + 2);
    }
    expect(hub.stats().connections).toBe(0);
    await hub.channel("a").dispatch("n", 1);
    expect((await (clients[0] as HubClient).reconnect()).data).toEqual(["1"]);
  });

  test("without one a connection stays", async () => {
    const { hub } = openHub({ keepAlive: false });
    const client = await joined(hub, "a");
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(client.ended).toBe(false);
  });
});

describe("drain", () => {
  fakeTime();

  test("ends the streams at random moments of the window, each with a retry of its own, then resolves", async () => {
    const { hub } = openHub();
    const clients = await Promise.all(Array.from({ length: 40 }, () => follow(hub, "a")));
    const drained = vi.fn();
    const drain = hub.drain({ within: "20s" }).then(drained);
    const ends = (await endsOf(clients, 20)) as number[];
    await drain;
    expect(ends).not.toContain(undefined);
    expect(new Set(ends).size).toBeGreaterThan(8);
    for (const third of [1, 8, 15]) expect(ends.some((end) => end >= third && end < third + 6)).toBe(true);
    expect(clients.map(({ later }) => later?.reason)).toEqual(Array(40).fill("draining"));
    const retries = new Set(clients.map(({ later }) => later?.retry));
    expect(retries.size).toBeGreaterThan(20);
    expect(hub.stats()).toMatchObject({ connections: 0, live: 0, lagging: 0 });
  });

  test("takes a window of two months for what it is, though no timer of a platform waits for that long", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "a");
    vi.spyOn(Math, "random").mockReturnValueOnce(0.9);
    const drain = hub.drain({ within: "60d" });
    expect(await endsOf([client], 60)).toEqual([undefined]);
    await client.leave();
    await drain;
  });

  test("rejects new clients with 200 and a large retry; the others publish and receive until their moment", async () => {
    const { hub } = openHub();
    const old = await joined(hub, "a");
    vi.spyOn(Math, "random").mockReturnValueOnce(0.9);
    const drain = hub.drain({ within: "10s" });
    const late = await (await follow(hub, "a")).end();
    expect(late.later?.reason).toBe("draining");
    expect(late.later?.retry).toBeGreaterThanOrEqual(5_000);
    await hub.channel("a").dispatch("n", 1);
    await old.settle();
    expect([old.data, old.ended]).toEqual([["1"], false]);
    await vi.advanceTimersByTimeAsync(10_000);
    await drain;
    expect((await old.end()).data).toEqual(["1"]);
  });

  test("loses nothing: every client continues at another hub from its position", async () => {
    const log = memoryLog();
    const { hub } = openHub({ log });
    const { hub: next } = openHub({ log });
    const clients = await Promise.all(Array.from({ length: 10 }, () => joined(hub, "a")));
    const drain = hub.drain({ within: "5s" });
    for (let n = 0; n < 10; n++) {
      await hub.channel("a").dispatch("n", n);
      await vi.advanceTimersByTimeAsync(500);
    }
    await drain;
    for (const client of clients) {
      const again = await client.reconnect({}, next);
      expect([...client.data, ...again.data]).toEqual(Array.from({ length: 10 }, (_, n) => String(n)));
    }
  });

  test("rejects a request whose authorization was pending when it began", async () => {
    const { hub } = openHub({ authorize: () => tick().then(() => true) });
    const opening = follow(hub, "a");
    const drain = hub.drain({ within: "10s" });
    const client = await (await opening).end();
    await drain;
    expect([client.later?.reason, hub.stats().connections]).toEqual(["draining", 0]);
  });

  test("ends early when all clients have disconnected", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "a");
    const drain = hub.drain({ within: "1h" });
    await client.leave();
    await drain;
    expect(hub.stats().connections).toBe(0);
  });

  test("without clients ends immediately, also a second time, and a bad window is rejected", async () => {
    const { hub } = openHub();
    await expect(hub.drain({ within: "soon" as never })).rejects.toMatchObject({ code: "ERR_SSE_OPTION" });
    expect((await joined(hub, "a")).ended).toBe(false);
    await vi.advanceTimersByTimeAsync(0);
    await Promise.all([hub.drain({ within: 0 }), vi.advanceTimersByTimeAsync(1)]);
    await hub.drain();
  });
});

describe("close", () => {
  test("ends all streams and closes the log; whoever uses the hub then is told so", async () => {
    const log = memoryLog();
    const { hub } = openHub({ log });
    const clients = await Promise.all([joined(hub, "a"), joined(hub, "b/*")]);
    await Promise.all([hub.close(), hub.close()]);
    for (const client of clients) expect((await client.end()).ended).toBe(true);
    const closed = { code: "ERR_SSE_CLOSED", message: expect.stringContaining("close()") };
    await expect(log.head()).rejects.toMatchObject(closed);
    for (const use of [
      () => hub.cursor(),
      () => hub.channel("a").dispatch("n"),
      () => hub.channel("a").dispatchAll([]),
      () => hub.channel("a").end(),
      () => hub.channel("a").members(),
    ]) {
      await expect(use()).rejects.toMatchObject(closed);
    }
    expect((await hub.channel("a").pipe(["x"])).ended).toBe("failed");
    expect([hub.revoke("ada"), hub.stats().connections]).toEqual([0, 0]);
    const late = await (await follow(hub, "a")).end();
    expect(late.later?.reason).toBe("draining");
    await hub.drain();
    await hub.close();
  });

  test("a second call waits for the first", async () => {
    const log = memoryLog();
    let closed = false;
    const close = log.close.bind(log);
    log.close = async () => {
      await tick();
      await close();
      closed = true;
    };
    const hub = createHub({ log });
    void hub.close();
    await hub.close();
    expect(closed).toBe(true);
  });

  test("a request that was being asked for gets no stream on a closed hub", async () => {
    const { hub } = openHub({ authorize: () => tick().then(() => true) });
    const opening = follow(hub, "a");
    await hub.close();
    const client = await (await opening).end();
    expect([client.later?.reason, hub.stats().connections]).toEqual(["draining", 0]);
  });

  test("events published before it are accepted or rejected, not left pending", async () => {
    const { hub } = openHub();
    const published = hub.channel("a").dispatch("n", 1);
    await hub.close();
    await published.catch((error) => expect(error).toMatchObject({ code: "ERR_SSE_CLOSED" }));
  });

  test("comes with the end of a block by await using", async () => {
    let response: Response;
    {
      await using hub = createHub();
      response = await hub.channel("a").response(request());
    }
    expect(await response.text()).toMatch(/^: keep-alive \d+\nretry: \d+\n/);
  });
});
