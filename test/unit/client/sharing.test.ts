// Subscriptions of a page share one connection: one request, a handover when their channels change, and each gets its own.
import { afterEach, describe, expect, test } from "vitest";
import type { StreamLoss, TextEvent } from "../../../src/client/events.ts";
import { resolveSubscribeOptions, type SubscribeOptions } from "../../../src/client/options.ts";
import { Subscription } from "../../../src/client/subscribe.ts";
import { LabeledHub } from "../../support/labeled-hub.ts";
import { VirtualEnvironment } from "../../support/virtual-environment.ts";
import { tick } from "../../support/web.ts";

let environment: VirtualEnvironment;
const streams: Subscription[] = [];
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  await pass(5_000);
  expect(environment.timers, "timers are left").toBe(0);
});

function open(): LabeledHub {
  environment = new VirtualEnvironment();
  return new LabeledHub(environment);
}

interface Follower {
  stream: Subscription;
  received: string[];
  losses: StreamLoss[];
  states: string[];
}

function follow(hub: LabeledHub, channels: string[], options: SubscribeOptions = {}): Follower {
  const resolved = resolveSubscribeOptions("http://localhost/events", {
    share: "page",
    fetch: hub.fetch,
    channels,
    ...options,
  });
  const stream = new Subscription(resolved, environment);
  streams.push(stream);
  const follower: Follower = { stream, received: [], losses: [], states: [] };
  stream.on("*", (event: TextEvent) => follower.received.push(event.data));
  stream.onLoss((loss) => follower.losses.push(loss));
  stream.onStatus(({ state }) => follower.states.push(state));
  return follower;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await tick();
}

async function pass(milliseconds: number): Promise<void> {
  const end = environment.time + milliseconds;
  await settle();
  while (environment.next !== undefined && environment.next <= end) {
    environment.advance(environment.next - environment.time);
    await settle();
  }
  environment.advance(end - environment.time);
  await settle();
}

/** The channels of a request: held, then joining. */
function asked(hub: LabeledHub, index: number): [held: string[], joining: string[], position: string] {
  const request = hub.requests[index];
  return [request?.fields.getAll("channel") ?? [], request?.fields.getAll("join") ?? [], request?.lastEventId ?? ""];
}

describe("one connection", () => {
  test("a hundred subscriptions of one turn make one request, and each receives its channel alone", async () => {
    const hub = open();
    const followers = Array.from({ length: 100 }, (_, n) => follow(hub, [`c${n % 10}`]));
    await pass(500);
    expect(hub.requests).toHaveLength(1);
    expect(hub.requests[0]?.fields.get("label")).toBe("1");
    hub.publish("c3", "three");
    hub.publish("c4", "four");
    await pass(500);
    expect(followers.map(({ received }) => received.join())).toEqual(
      Array.from({ length: 100 }, (_, n) => (n % 10 === 3 ? "three" : n % 10 === 4 ? "four" : "")),
    );
    expect(followers.every(({ stream }) => stream.status.state === "open")).toBe(true);
  });

  test("a single channel is requested as without sharing", async () => {
    const hub = open();
    follow(hub, ["a"]);
    await pass(100);
    expect(hub.requests[0]?.url).toBe("http://localhost/events?channel=a");
  });

  describe("a later subscription to channels that the page follows", () => {
    test("receives their values on a connection that then closes, and nothing twice", async () => {
      const hub = open();
      hub.valued.add("a");
      const first = follow(hub, ["a", "b"]);
      await pass(500);
      hub.publish("a", "1");
      await pass(500);
      const second = follow(hub, ["a"]);
      hub.publish("a", "2");
      hub.publish("b", "3");
      await pass(500);
      expect(hub.requests).toHaveLength(2);
      expect(hub.open).toHaveLength(1);
      hub.publish("a", "4");
      await pass(500);
      expect([first.received, second.received]).toEqual([
        ["1", "2", "3", "4"],
        ["v2", "4"],
      ]);
      expect([first, second].map(({ stream }) => stream.status.state)).toEqual(["open", "open"]);
    });

    test("several of one turn have one connection for that", async () => {
      const hub = open();
      follow(hub, ["a", "b"]);
      await pass(500);
      hub.publish("a", "1");
      hub.publish("b", "2");
      hub.valued.add("a").add("b");
      await pass(500);
      const late = [follow(hub, ["a"]), follow(hub, ["b"]), follow(hub, ["a", "b"])];
      await pass(500);
      expect(late.map(({ received }) => received.join())).toEqual(["v1", "v2", "v1,v2"]);
      expect(asked(hub, 1)).toEqual([["a", "b"], [], ""]);
      expect([hub.requests.length, hub.open.length]).toEqual([2, 1]);
    });

    test("returns to the shared connection although events of other channels pass all the time", async () => {
      const hub = open();
      follow(hub, ["a", "b"]);
      await pass(500);
      const late = follow(hub, ["a"]);
      for (let n = 0; n < 30; n++) {
        hub.publish("b", String(n));
        await pass(10);
      }
      expect(hub.open).toHaveLength(1);
      hub.publish("a", "x");
      await pass(500);
      expect(late.received).toEqual(["x"]);
    });

    test("does without values where the server allows one connection", async () => {
      const hub = open();
      follow(hub, ["a"]);
      await pass(500);
      hub.connectionsPerKey = 1;
      const late = follow(hub, ["a"]);
      await pass(500);
      hub.publish("a", "1");
      await pass(500);
      expect(late.received).toEqual(["1"]);
      expect([hub.requests.length, hub.open.length]).toEqual([2, 1]);
    });
  });

  test("subscriptions without channels share by the address", async () => {
    const hub = open();
    follow(hub, []);
    follow(hub, []);
    const other = follow(hub, ["a"]);
    await pass(100);
    expect(hub.requests.map(({ url }) => url)).toEqual([
      "http://localhost/events",
      "http://localhost/events?channel=a",
    ]);
    other.stream.close();
  });

  test("headers, body and fetch have to be the same function, unless the identity is the same", async () => {
    const hub = open();
    const headers = () => ({ authorization: "x" });
    follow(hub, ["a"], { headers });
    follow(hub, ["a"], { headers });
    follow(hub, ["a"], { headers: () => ({ authorization: "x" }) });
    follow(hub, ["a"], { headers: () => ({ authorization: "x" }), identity: "ann" });
    follow(hub, ["a"], { headers: () => ({ authorization: "x" }), identity: "ann" });
    follow(hub, ["a"], { headers, identity: "bob" });
    follow(hub, ["a"], { headers, credentials: "include" });
    follow(hub, ["a"], { headers, method: "REPORT" });
    follow(hub, ["a"], { headers, share: false });
    await pass(100);
    expect(hub.requests).toHaveLength(7);
  });

  test("without a browser, sharing is off by default", () => {
    expect(resolveSubscribeOptions("http://localhost/", {}).share).toBe(false);
  });

  test("a remount keeps the connection; the last one closes it after a while", async () => {
    const hub = open();
    const first = follow(hub, ["a"]);
    await pass(500);
    first.stream.close();
    await pass(500);
    const [kept] = hub.open;
    const second = follow(hub, ["a"]);
    await pass(500);
    expect(hub.open).toEqual([kept]);
    expect(second.states).toEqual(["connecting", "open"]);
    second.stream.close();
    await pass(2_000);
    expect(hub.open).toEqual([]);
  });

  test("a long list of channels becomes a form", async () => {
    const hub = open();
    const channels = Array.from({ length: 300 }, (_, n) => `channel-number-${n}`);
    const { received } = follow(hub, channels);
    await pass(500);
    expect(hub.requests[0]).toMatchObject({ method: "POST", url: "http://localhost/events" });
    hub.publish("channel-number-299", "x");
    await pass(500);
    expect(received).toEqual(["x"]);
  });
});

describe("a handover", () => {
  test("resumes held channels at the position, joins the others, and closes the old connection", async () => {
    const hub = open();
    const a = follow(hub, ["a"]);
    await pass(500);
    hub.publish("a", "1");
    hub.publish("b", "before b");
    await pass(500);
    hub.valued.add("b");
    const b = follow(hub, ["b"]);
    expect(b.stream.status.state).toBe("connecting");
    await pass(500);
    expect(asked(hub, 1)).toEqual([["a"], ["b"], hub.cursor(1)]);
    expect(hub.open).toHaveLength(1);
    hub.publish("a", "2");
    hub.publish("b", "3");
    await pass(500);
    expect([a.received, b.received]).toEqual([
      ["1", "2"],
      ["vbefore b", "3"],
    ]);
    expect([a.states, b.states]).toEqual([
      ["connecting", "open"],
      ["connecting", "open"],
    ]);
  });

  test("gives up a channel that no subscription follows, after a while", async () => {
    const hub = open();
    follow(hub, ["a"]);
    const b = follow(hub, ["b"]);
    await pass(500);
    b.stream.close();
    await pass(900);
    expect(hub.requests).toHaveLength(1);
    await pass(500);
    expect(hub.requests.map((_, index) => asked(hub, index)[0])).toEqual([["a", "b"], ["a"]]);
  });

  test("a next connection that fails leaves the old one alone, and tries again", async () => {
    const hub = open();
    const a = follow(hub, ["a"]);
    await pass(500);
    hub.refusals.push({ status: 503 }, { later: "connections" }, { error: "no network" });
    const b = follow(hub, ["b"]);
    await pass(300);
    hub.publish("a", "1");
    await pass(30_000);
    hub.publish("b", "2");
    await pass(500);
    expect([a.received, b.received]).toEqual([["1"], ["2"]]);
    expect(a.states).not.toContain("retrying");
    expect(b.states).toContain("retrying");
    expect(hub.requests).toHaveLength(5);
  });

  test("a rejection for good ends only the subscriptions that were to join", async () => {
    const hub = open();
    const a = follow(hub, ["a"]);
    await pass(500);
    hub.refusals.push({ status: 404 });
    const b = follow(hub, ["b"]);
    const closed = await Promise.race([b.stream.closed, pass(500).then(() => b.stream.closed)]);
    expect(closed).toMatchObject({ reason: "failed", error: { status: 404 } });
    hub.publish("a", "1");
    await pass(500);
    expect(a.received).toEqual(["1"]);
    expect(a.states).toEqual(["connecting", "open"]);
  });

  test("a forbidden channel ends its own subscriptions, with the reason", async () => {
    const hub = open();
    hub.forbidden.add("secret");
    const a = follow(hub, ["a"]);
    const secret = follow(hub, ["secret"]);
    const both = follow(hub, ["secret", "a"]);
    await pass(500);
    hub.publish("a", "1");
    await pass(500);
    expect(await secret.stream.closed).toMatchObject({ reason: "failed", error: { status: 403 } });
    expect([a.received, both.received]).toEqual([["1"], ["1"]]);
    expect(both.stream.status.state).toBe("open");
  });

  test.each(["later", "429"])("at a limit per key, the old connection closes first (%s)", async (how) => {
    const hub = open();
    const a = follow(hub, ["a"]);
    await pass(500);
    if (how === "later") hub.connectionsPerKey = 1;
    else hub.refusals.push({ status: 429 });
    const b = follow(hub, ["b"]);
    await pass(200);
    hub.publish("a", "1");
    await pass(1_000);
    hub.publish("b", "2");
    await pass(500);
    expect([a.received, b.received]).toEqual([["1"], ["2"]]);
    expect(hub.open).toHaveLength(1);
  });

  test("channels over the limit that the server announces are split, before and after it is known", async () => {
    const hub = open();
    hub.limit = 3;
    const followers = ["a", "b", "c", "d", "e"].map((channel) => follow(hub, [channel]));
    await pass(2_000);
    expect(hub.open.map(({ held }) => held.size).sort()).toEqual([2, 3]);
    followers.push(follow(hub, ["f"]), follow(hub, ["g"]));
    await pass(2_000);
    expect(hub.open.map(({ held, joining }) => held.size + joining.size).sort()).toEqual([1, 3, 3]);
    for (const channel of ["a", "b", "c", "d", "e", "f", "g"]) hub.publish(channel, channel);
    await pass(1_000);
    expect(followers.map(({ received }) => received.join())).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
  });

  test.each(["page", false] as const)(
    "a subscription that alone has more ends with an error (share: %s)",
    async (share) => {
      const hub = open();
      hub.limit = 2;
      const small = follow(hub, ["a"], { share });
      await pass(500);
      const large = follow(hub, ["a", "b", "c"], { share });
      const first = follow(hub, ["x", "y", "z"], { share });
      await pass(2_000);
      for (const { stream } of [large, first]) {
        expect(await stream.closed).toMatchObject({
          reason: "failed",
          error: { failure: "channels", message: expect.stringMatching(/allows 2 channels.*limits\.channels/) },
        });
      }
      hub.publish("a", "1");
      await pass(500);
      expect([small.received, small.losses, hub.open.length]).toEqual([["1"], [], 1]);
    },
  );

  test("a server without cursors keeps its connection: other channels get another one", async () => {
    const hub = open();
    hub.cursor = (offset) => String(offset);
    const a = follow(hub, ["a"]);
    await pass(500);
    hub.publish("a", "1");
    await pass(500);
    const b = follow(hub, ["b"]);
    await pass(2_000);
    hub.publish("b", "2");
    hub.publish("a", "3");
    await pass(500);
    expect([a.received, b.received]).toEqual([["1", "3"], ["2"]]);
    expect(hub.requests.map((_, index) => asked(hub, index)[1])).toEqual([[], []]);
    expect(hub.open).toHaveLength(2);
  });

  test("an event that names no channel, where it could belong to some, is an error that names label", async () => {
    const hub = open();
    hub.labels = false;
    const a = follow(hub, ["a"]);
    const b = follow(hub, ["b"]);
    await pass(500);
    hub.publish("a", "1");
    await pass(500);
    for (const { stream, received } of [a, b]) {
      const { reason, error } = await stream.closed;
      expect([reason, error?.failure, received]).toEqual(["failed", "label", []]);
      expect(error?.message).toContain("label=1");
    }
  });

  test("subscriptions that follow all channels need no label", async () => {
    const hub = open();
    hub.labels = false;
    const one = follow(hub, ["a", "b"]);
    const other = follow(hub, ["b", "a"]);
    await pass(500);
    hub.publish("a", "1");
    await pass(500);
    expect([one.received, other.received]).toEqual([["1"], ["1"]]);
  });
});

describe("a position of its own", () => {
  test("has its own connection until it has caught up, then shares", async () => {
    const hub = open();
    const a = follow(hub, ["a"]);
    await pass(500);
    for (let n = 1; n <= 5; n++) hub.publish(n % 2 === 0 ? "a" : "b", String(n));
    await pass(500);
    const b = follow(hub, ["b"], { after: hub.cursor(1) });
    await pass(50);
    expect(hub.open).toHaveLength(2);
    expect(asked(hub, 1)).toEqual([["b"], [], hub.cursor(1)]);
    await pass(2_000);
    hub.publish("b", "6");
    hub.publish("a", "7");
    await pass(2_000);
    expect([a.received, b.received]).toEqual([
      ["2", "4", "7"],
      ["3", "5", "6"],
    ]);
    expect(hub.open).toHaveLength(1);
    expect([...(hub.open[0]?.held ?? [])].sort()).toEqual(["a", "b"]);
    expect(b.states).toEqual(["connecting", "open"]);
  });
});

describe("a slow loop", () => {
  test("leaves the connection and continues at its own cursor; the others continue", async () => {
    const hub = open();
    const fast = follow(hub, ["a"]);
    const slow = follow(hub, ["a"]);
    const loop = slow.stream.events({ buffer: 2 });
    await pass(500);
    for (let n = 0; n < 10; n++) hub.publish("a", String(n));
    await pass(1_000);
    expect(fast.received).toHaveLength(10);
    expect(slow.received).toEqual(["0", "1"]);
    expect(hub.open).toHaveLength(2);
    const read: string[] = [];
    for await (const event of loop) {
      read.push(event.data);
      if (read.length === 10) break;
      await pass(100);
    }
    expect(read).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    expect(slow.losses).toEqual([]);
  });

  test("without cursors it drops its oldest events, and reports the loss", async () => {
    const hub = open();
    hub.cursor = () => "";
    const fast = follow(hub, ["a"]);
    const slow = follow(hub, ["a"]);
    const loop = slow.stream.events({ buffer: 2 });
    await pass(500);
    for (let n = 0; n < 5; n++) hub.publish("a", String(n));
    await pass(500);
    expect(fast.received).toHaveLength(5);
    const missed = slow.losses.map((loss) => (loss.kind === "overflow" ? loss.missed : 0));
    expect(missed.reduce((sum, count) => sum + count, 0)).toBe(4);
    expect((await loop.next()).value).toMatchObject({ data: "4" });
    expect(hub.requests).toHaveLength(1);
  });
});

test("reconnect() of one subscription replaces the connection of all, and loses nothing", async () => {
  const hub = open();
  const followers = [follow(hub, ["a"]), follow(hub, ["a", "b"])];
  await pass(100);
  hub.publish("a", "1");
  followers[1]?.stream.reconnect();
  hub.publish("b", "2");
  await pass(100);
  hub.publish("a", "3");
  await pass(100);
  expect(followers.map(({ received, losses }) => [received.join(), losses.length])).toEqual([
    ["1,3", 0],
    ["1,2,3", 0],
  ]);
  expect([hub.requests.length, hub.open.length]).toEqual([2, 1]);
});

test("the cursor of an idle subscription moves with the connection", async () => {
  const hub = open();
  const a = follow(hub, ["a"]);
  follow(hub, ["b"]);
  await pass(500);
  hub.publish("b", "1");
  await pass(500);
  expect(a.stream.cursor).toBe(hub.cursor(1));
});
