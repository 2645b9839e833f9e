// The tabs of a browser share one connection: one leads, the others follow, and another takes over.
import { afterEach, describe, expect, test } from "vitest";
import type { StreamLoss, TextEvent } from "../../../src/client/events.ts";
import { resolveSubscribeOptions, type SubscribeOptions } from "../../../src/client/options.ts";
import { Subscription } from "../../../src/client/subscribe.ts";
// It is loaded on demand. Here it is there from the start, since the clock is virtual.
import "../../../src/client/tabs.ts";
import { FakeBrowser, type FakeTab } from "../../support/fake-tabs.ts";
import { LabeledHub } from "../../support/labeled-hub.ts";
import { VirtualEnvironment } from "../../support/virtual-environment.ts";
import { tick } from "../../support/web.ts";

let environment: VirtualEnvironment;
let hub: LabeledHub;
let browser: FakeBrowser;
const streams: Subscription[] = [];

function begin(): void {
  environment = new VirtualEnvironment();
  hub = new LabeledHub(environment);
  let calls = 0;
  browser = new FakeBrowser(environment, () => (++calls * 0.618034) % 1);
}

afterEach(async () => {
  for (const tab of browser.tabs) tab.thaw();
  for (const stream of streams.splice(0)) stream.close();
  await pass(60_000);
  expect(hub.open.length, "connections are left").toBe(0);
  expect(environment.timers, "timers are left").toBe(0);
  expect([...browser.locks.keys()], "locks are left").toEqual([]);
});

interface Follower {
  stream: Subscription;
  received: string[];
  losses: StreamLoss[];
  states: string[];
}

function follow(tab: FakeTab, channels: string[], options: SubscribeOptions = {}): Follower {
  const resolved = resolveSubscribeOptions("http://localhost/events", {
    share: "browser",
    identity: "ann",
    fetch: tab.fetch(hub.fetch),
    channels,
    ...options,
  });
  const stream = new Subscription(resolved, tab);
  streams.push(stream);
  const follower: Follower = { stream, received: [], losses: [], states: [] };
  stream.on("*", (event: TextEvent) => follower.received.push(event.data));
  stream.onLoss((loss) => follower.losses.push(loss));
  stream.onStatus(({ state }) => follower.states.push(state));
  return follower;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await tick();
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

describe("one connection", () => {
  test("five tabs make one connection, and each receives its channels alone", async () => {
    begin();
    const followers = ["a", "b", "c", "a", "b"].map((channel) => follow(browser.open(), [channel]));
    await pass(2_000);
    expect(hub.open).toHaveLength(1);
    for (const channel of ["a", "b", "c"]) hub.publish(channel, channel);
    await pass(500);
    expect(followers.map(({ received }) => received.join())).toEqual(["a", "b", "c", "a", "b"]);
    expect(followers.map(({ stream }) => stream.status.state)).toEqual(Array(5).fill("open"));
  });

  test("a tab that comes later joins, and receives values of a channel that is new", async () => {
    begin();
    const a = follow(browser.open(), ["a"]);
    await pass(1_000);
    hub.publish("b", "state");
    hub.valued.add("b");
    await pass(500);
    const b = follow(browser.open(), ["b"]);
    const late = follow(browser.open(), ["a"]);
    await pass(2_000);
    hub.publish("a", "1");
    hub.publish("b", "2");
    await pass(500);
    expect([a.received, b.received, late.received]).toEqual([["1"], ["vstate", "2"], ["1"]]);
    expect(hub.open).toHaveLength(1);
  });

  test("a tab that comes later receives the values of a channel that the others follow", async () => {
    begin();
    const first = follow(browser.open(), ["a"]);
    await pass(1_000);
    hub.publish("a", "state");
    hub.valued.add("a");
    await pass(500);
    const late = follow(browser.open(), ["a"]);
    await pass(2_000);
    hub.publish("a", "1");
    await pass(500);
    expect([first.received, late.received]).toEqual([
      ["state", "1"],
      ["vstate", "1"],
    ]);
    expect(hub.open).toHaveLength(1);
  });

  test("different users of one profile never share", async () => {
    begin();
    follow(browser.open(), ["a"], { identity: "ann" });
    follow(browser.open(), ["a"], { identity: "bob" });
    await pass(2_000);
    expect(hub.open).toHaveLength(2);
  });

  test("where tabs cannot find each other, each has a connection of its own", async () => {
    begin();
    const pages = [1, 2].map(() => Object.assign(browser.open(), { tabs: null }));
    const received = pages.map((page) => {
      const options = { share: "browser", identity: "ann", fetch: hub.fetch, channels: ["a"] } as const;
      const stream = new Subscription(resolveSubscribeOptions("http://localhost/events", options), page);
      streams.push(stream);
      const data: string[] = [];
      stream.on("*", (event: TextEvent) => data.push(event.data));
      return data;
    });
    await pass(1_000);
    expect(hub.open).toHaveLength(2);
    hub.publish("a", "1");
    await pass(500);
    expect(received).toEqual([["1"], ["1"]]);
  });

  test("an identity is required", () => {
    expect(() => resolveSubscribeOptions("http://localhost/events", { share: "browser" })).toThrow("identity");
  });

  test("a forbidden channel ends its own subscriptions, in whatever tab they are", async () => {
    begin();
    hub.forbidden.add("secret");
    const a = follow(browser.open(), ["a"]);
    await pass(1_000);
    const secret = follow(browser.open(), ["secret"]);
    const fine = follow(browser.open(), ["b"]);
    await pass(2_000);
    expect(await secret.stream.closed).toMatchObject({ reason: "failed", error: { status: 403 } });
    hub.publish("a", "1");
    hub.publish("b", "2");
    await pass(500);
    expect([a.received, fine.received]).toEqual([["1"], ["2"]]);
  });

  test("a rejection for good reaches the tab that wanted to join", async () => {
    begin();
    follow(browser.open(), ["a"]);
    await pass(1_000);
    hub.refusals.push({ status: 404 });
    const b = follow(browser.open(), ["b"]);
    await pass(2_000);
    const { reason, error } = await b.stream.closed;
    expect([reason, error?.name, error?.status]).toEqual(["failed", "StreamError", 404]);
  });

  test("a limit of channels that the tabs exceed together gives tabs their own connections", async () => {
    begin();
    hub.limit = 2;
    const followers = ["a", "b", "c"].map((channel) => follow(browser.open(), [channel]));
    await pass(5_000);
    for (const channel of ["a", "b", "c"]) hub.publish(channel, channel);
    await pass(500);
    expect(followers.map(({ received }) => received.join())).toEqual(["a", "b", "c"]);
  });
});

test.each([0, 1])("reconnect() of any tab replaces the connection of all (tab %i)", async (index) => {
  begin();
  const followers = [browser.open(), browser.open()].map((tab) => follow(tab, ["a"]));
  await pass(2_000);
  hub.publish("a", "1");
  await pass(500);
  const before = hub.requests.length;
  followers[index]?.stream.reconnect();
  await pass(500);
  hub.publish("a", "2");
  await pass(500);
  expect(hub.requests).toHaveLength(before + 1);
  expect(hub.open).toHaveLength(1);
  for (const { received, losses, states } of followers) {
    expect([received, losses]).toEqual([["1", "2"], []]);
    expect(states.slice(-2)).toEqual(["connecting", "open"]);
  }
});

describe("the end of a leader", () => {
  test.each(["close", "crash", "suspend"])("another tab continues at the position (%s)", async (how) => {
    begin();
    const tabs = [browser.open(), browser.open(), browser.open()];
    const followers = tabs.map((tab) => follow(tab, ["a"]));
    await pass(2_000);
    hub.publish("a", "1");
    await pass(500);
    hub.publish("a", "2");
    if (how === "close") followers[0]?.stream.close();
    else if (how === "crash") tabs[0]?.crash();
    else tabs[0]?.suspend();
    hub.publish("a", "3");
    await pass(5_000);
    hub.publish("a", "4");
    await pass(500);
    for (const { received, losses } of followers.slice(1)) {
      expect([received, losses]).toEqual([["1", "2", "3", "4"], []]);
    }
    expect(hub.open).toHaveLength(1);
    if (how !== "suspend") return;
    tabs[0]?.wake();
    await pass(5_000);
    hub.publish("a", "5");
    await pass(500);
    expect(followers[0]?.received).toEqual(["1", "2", "3", "4", "5"]);
    expect(hub.open).toHaveLength(1);
  });

  test("a leader that is frozen loses its lock, and cannot lead when it thaws", async () => {
    begin();
    const tabs = [browser.open(), browser.open(), browser.open()];
    const followers = tabs.map((tab) => follow(tab, ["a"]));
    await pass(2_000);
    hub.publish("a", "1");
    await pass(500);
    tabs[0]?.freeze();
    hub.publish("a", "2");
    await pass(40_000);
    hub.publish("a", "3");
    await pass(500);
    expect(followers[1]?.received).toEqual(["1", "2", "3"]);
    expect(followers[2]?.received).toEqual(["1", "2", "3"]);
    tabs[0]?.thaw();
    await pass(5_000);
    hub.publish("a", "4");
    await pass(500);
    expect(followers.map(({ received }) => received.join())).toEqual(Array(3).fill("1,2,3,4"));
    expect(hub.open).toHaveLength(1);
  });

  test("a leader whose headers() never settles takes those of another tab", async () => {
    begin();
    let hangs = false;
    const headers = () => (hangs ? new Promise<HeadersInit>(() => {}) : {});
    const first = follow(browser.open(), ["a"], { headers });
    await pass(2_000);
    const second = follow(browser.open(), ["b"], { headers: () => ({}) });
    await pass(2_000);
    hangs = true;
    hub.open[0]?.cut("end");
    await pass(10_000);
    expect(hub.open).toHaveLength(1);
    for (const channel of ["a", "b"]) hub.publish(channel, channel);
    await pass(500);
    expect([first.received, second.received]).toEqual([["a"], ["b"]]);
  });

  test("the last tab closes the connection", async () => {
    begin();
    const tabs = [browser.open(), browser.open()];
    const followers = tabs.map((tab) => follow(tab, ["a"]));
    await pass(2_000);
    for (const { stream } of followers) stream.close();
    await pass(5_000);
    expect(hub.open).toEqual([]);
    expect(browser.locks.size).toBe(0);
  });
});

describe("a tab that was frozen", () => {
  test("receives what waits for it", async () => {
    begin();
    follow(browser.open(), ["a"]);
    const tab = browser.open();
    const frozen = follow(tab, ["a"]);
    await pass(2_000);
    tab.freeze();
    for (let n = 1; n <= 5; n++) hub.publish("a", String(n));
    await pass(2_000);
    tab.thaw();
    await pass(2_000);
    expect([frozen.received, frozen.losses]).toEqual([["1", "2", "3", "4", "5"], []]);
  });

  test.each([3, 300])("catches up if %d messages to it were lost", async (count) => {
    begin();
    follow(browser.open(), ["a"]);
    const tab = browser.open();
    const deaf = follow(tab, ["a"]);
    await pass(2_000);
    tab.deafen();
    for (let n = 1; n <= count; n++) hub.publish("a", String(n));
    await pass(10_000);
    tab.listen();
    hub.publish("a", "last");
    await pass(20_000);
    expect(deaf.received).toEqual([...Array.from({ length: count }, (_, n) => String(n + 1)), "last"]);
    expect(deaf.losses).toEqual([]);
    expect(hub.open).toHaveLength(1);
  });
});
