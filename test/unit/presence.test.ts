import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createHub, type Hub, type HubOptions, type SubscribeOptions } from "../../src/index.ts";
import type { CompleteLog } from "../../src/log/complete.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { type PresenceOptions, presence } from "../../src/presence/index.ts";
import { presenceChannel } from "../../src/presence/state.ts";
import { read, values } from "../../src/testing/log/ask.ts";
import { defineEvents } from "../../src/wire/contract.ts";
import { Machine } from "../support/machine.ts";
import { BodyReader, tick } from "../support/web.ts";

const grace = 5_000;
const lease = 30_000;
const timeout = { code: "ERR_SSE_TIMEOUT" };
const closing: (() => Promise<void>)[] = [];

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"],
    }),
);
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  vi.useRealTimers();
});

type Options = Omit<HubOptions, "presence"> & { presence?: PresenceOptions };

/** A hub on a machine of its own. */
function openMachine(
  log: CompleteLog,
  { presence: changes, ...options }: Options = {},
): { machine: Machine; hub: Hub; errors: unknown[] } {
  const machine = new Machine(log);
  const errors: unknown[] = [];
  const onError = (error: unknown, { stage }: { stage: string }) => void errors.push([stage, error]);
  const hub = createHub({ onError, ...options, log: machine, presence: presence({ grace, lease, ...changes }) });
  closing.push(() => hub.close());
  return { machine, hub, errors };
}

function openMachines(count: number, options?: Options) {
  const log = memoryLog();
  return { log, machines: Array.from({ length: count }, () => openMachine(log, options)) };
}

function openOne(options?: Options) {
  const { log, machines } = openMachines(1, options);
  return { log, ...(machines[0] as ReturnType<typeof openMachine>) };
}

/** A client that reads everything, of a member by default. */
async function connect(hub: Hub, id: string, options: Partial<SubscribeOptions> = {}, init?: RequestInit) {
  const request = new Request("http://localhost/events", init);
  const response = await hub.response(request, { channels: ["room"], member: { id }, ...options });
  const client = new BodyReader(response);
  void client.rest();
  await settle();
  return client;
}

/** Whatever is under way comes to its end, with the clock at rest. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await tick();
}

/** A little more, since timers take whole milliseconds and the clock does not. */
async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds + 1);
  await settle();
}

/** The presence events of a channel, such as `join ada`. */
async function told(log: CompleteLog, channel = "room"): Promise<string[]> {
  const { entries } = await read(log, 0, 10_000, { channels: [channel], prefixes: [] });
  return entries.map(({ type, data }) => `${type} ${JSON.parse(data).id}`);
}

async function records(log: CompleteLog): Promise<unknown[]> {
  return (await values(log, { channels: [presenceChannel], prefixes: [] })).map(({ data }) => JSON.parse(data));
}

const idsOf = async (hub: Hub, channel = "room") => (await hub.channel(channel).members()).map(({ id }) => id);

describe("a member", () => {
  test("is listed with its data and the time since when it is there", async () => {
    const { hub } = openOne();
    const came = Date.now();
    await connect(hub, "ada", { member: { id: "ada", data: { name: "Ada" } } });
    await pass(60_000);
    const cameLater = Date.now();
    await connect(hub, "bob");
    expect(await hub.channel("room").members()).toEqual([
      { id: "ada", data: { name: "Ada" }, since: came },
      { id: "bob", since: cameLater },
    ]);
    expect(await hub.channel("elsewhere").members()).toEqual([]);
  });

  test("is listed as soon as its response is there", async () => {
    const { hub } = openOne();
    const response = await hub.response(new Request("http://localhost/"), {
      channels: ["room"],
      member: { id: "ada" },
    });
    expect(await idsOf(hub)).toEqual(["ada"]);
    await response.body?.cancel();
  });

  test("is announced on the channel when it joins and when it has left", async () => {
    const { hub } = openOne();
    const response = await hub.channel("room").response(new Request("http://localhost/"));
    const listener = new BodyReader(response);
    expect((await listener.next()).type).toBe("sse:checkpoint");
    const ada = await connect(hub, "ada", { member: { id: "ada", data: { name: "Ada" } } });
    const joined = await listener.next();
    expect([joined.type, JSON.parse(joined.data)]).toEqual(["join", { id: "ada", data: { name: "Ada" } }]);
    expect(joined.lastEventId).not.toBe("");
    await ada.leave();
    await pass(grace);
    const left = await listener.next();
    expect([left.type, JSON.parse(left.data)]).toEqual(["leave", { id: "ada", data: { name: "Ada" } }]);
  });

  test("leaves when its grace is over, and not before", async () => {
    const { hub, log } = openOne();
    const ada = await connect(hub, "ada");
    await ada.leave();
    await pass(grace - 10);
    expect(await idsOf(hub)).toEqual(["ada"]);
    expect(await told(log)).toEqual(["join ada"]);
    await pass(10);
    expect(await idsOf(hub)).toEqual([]);
    expect(await told(log)).toEqual(["join ada", "leave ada"]);
  });

  test("that reloads does not leave, however often", async () => {
    const { hub, log } = openOne();
    let ada = await connect(hub, "ada");
    for (let reload = 0; reload < 5; reload++) {
      await ada.leave();
      await pass(grace - 10);
      ada = await connect(hub, "ada");
    }
    await pass(10 * grace);
    expect(await told(log)).toEqual(["join ada"]);
    expect(await idsOf(hub)).toEqual(["ada"]);
  });

  test("in several tabs is one, until the last of them is closed", async () => {
    const { hub, log } = openOne();
    const tabs = [await connect(hub, "ada"), await connect(hub, "ada"), await connect(hub, "ada")];
    expect(await idsOf(hub)).toEqual(["ada"]);
    for (const tab of tabs.slice(1)) await tab.leave();
    await pass(10 * grace);
    expect(await told(log)).toEqual(["join ada"]);
    await tabs[0]?.leave();
    await pass(grace);
    expect(await told(log)).toEqual(["join ada", "leave ada"]);
  });

  test("has the data of its newest connection", async () => {
    const { hub, log } = openOne();
    await connect(hub, "ada", { member: { id: "ada", data: "at work" } });
    await connect(hub, "ada", { member: { id: "ada", data: "at home" } });
    expect(await hub.channel("room").members()).toMatchObject([{ id: "ada", data: "at home" }]);
    expect(await told(log)).toEqual(["join ada"]);
  });

  test("has a copy of its data: what the application does with its own later changes nothing", async () => {
    const { hub } = openOne();
    const data = { name: "Ada" };
    await connect(hub, "ada", { member: { id: "ada", data } });
    data.name = "Bob";
    await connect(hub, "carl");
    expect((await hub.channel("room").members())[0]?.data).toEqual({ name: "Ada" });
  });

  test("is on every channel that is named, and on none of a prefix", async () => {
    const { hub, log } = openOne();
    await connect(hub, "ada", { channels: ["room", "hall", "room", "garden/*"] });
    expect([await idsOf(hub), await idsOf(hub, "hall"), await idsOf(hub, "garden/1")]).toEqual([["ada"], ["ada"], []]);
    expect([await told(log), await told(log, "hall")]).toEqual([["join ada"], ["join ada"]]);
    await expect(hub.channel("garden/*").members()).rejects.toMatchObject({ code: "ERR_SSE_CHANNEL" });
  });

  test.each([
    ["without an id", { id: "" }, "ERR_SSE_OPTION"],
    ["whose id is a number", { id: 7 as unknown as string }, "ERR_SSE_OPTION"],
    ["with data that cannot be JSON", { id: "ada", data: 1n }, "ERR_SSE_DATA"],
    ["longer than an event may be", { id: "ada", data: "x".repeat(2_000) }, "ERR_SSE_LIMIT"],
  ])("%s is refused, and takes no place", async (_, member, code) => {
    const refused: unknown[] = [];
    const onError: Options["onError"] = (error, { stage }) => refused.push([stage, (error as { code: string }).code]);
    const { hub } = openOne({ limits: { eventSize: "1kb" }, onError });
    const response = await hub.response(new Request("http://localhost/events"), { channels: ["room"], member });
    expect([response.status, hub.stats().connections]).toEqual([400, 0]);
    expect(refused).toEqual([["request", code]]);
  });
});

describe("every way of leaving counts", () => {
  test.each<[string, Options, (hub: Hub, client: BodyReader) => unknown, number]>([
    ["the client goes away", {}, (_, client) => client.leave(), grace],
    ["the user is revoked: at once", {}, (hub) => hub.revoke("user"), 0],
    ["the hub is drained", {}, (hub) => drain(hub), grace],
    ["the lifetime is over", { limits: { maxLifetime: 20_000 } }, () => pass(21_000), grace],
    ["the permission is gone: at once", { authorize: onlyOnce(), reauthorize: 4_000 }, () => pass(5_000), 0],
    ["the channel has ended", {}, (hub) => hub.channel("room").end(), 0],
  ])("%s", async (_, options, end, wait) => {
    const { hub, log } = openOne(options);
    const client = await connect(hub, "ada", { key: "user" });
    expect(await idsOf(hub)).toEqual(["ada"]);
    await end(hub, client);
    await settle();
    expect(hub.stats().connections).toBe(0);
    if (wait > 0) expect(await idsOf(hub)).toEqual(["ada"]);
    await pass(wait);
    expect(await idsOf(hub)).toEqual([]);
    expect((await records(log)).filter((record) => record !== null)).toEqual([]);
  });

  test("a client that does not read", async () => {
    const { hub, log } = openOne({ limits: { stallTimeout: 10_000 } });
    const response = await hub.response(new Request("http://localhost/"), {
      channels: ["room", "hall"],
      member: { id: "ada" },
    });
    const reader = response.body?.getReader();
    for (let round = 0; round < 40; round++) {
      await hub.channel("hall").dispatch("news", "x".repeat(100_000));
      await settle();
    }
    await pass(15_000);
    expect(hub.stats().stalled).toBe(1);
    await pass(grace);
    expect(await idsOf(hub)).toEqual([]);
    expect(await told(log)).toEqual(["join ada", "leave ada"]);
    await reader?.cancel().catch(() => {});
  });

  test("a rejected connection was never present", async () => {
    const { hub, log } = openOne({ limits: { connections: 1 }, authorize: ({ channel }) => channel !== "secret" });
    await connect(hub, "eve", { channels: ["secret"] });
    await connect(hub, "ada");
    await connect(hub, "bob");
    expect(await idsOf(hub)).toEqual(["ada"]);
    expect([await told(log), await told(log, "secret")]).toEqual([["join ada"], []]);
  });

  async function drain(hub: Hub): Promise<void> {
    const drained = hub.drain({ within: 100 });
    await vi.advanceTimersByTimeAsync(100);
    await drained;
  }

  function onlyOnce(): () => boolean {
    let asked = 0;
    return () => asked++ === 0;
  }
});

describe("a channel that has ended", () => {
  test("stays so: who comes back gets 204, also when all graces are over", async () => {
    const { hub, log } = openOne();
    const ada = await connect(hub, "ada");
    const bob = await connect(hub, "bob", { channels: ["room", "hall"] });
    await hub.channel("room").end();
    await settle();
    await bob.leave();
    await pass(2 * grace);
    expect(await told(log, "room")).toEqual(["join ada", "join bob", "sse:end undefined"]);
    expect(await told(log, "hall")).toEqual(["join bob", "leave bob"]);
    const back = await hub
      .channel("room")
      .response(new Request("http://localhost/", { headers: { "last-event-id": ada.parser.lastEventId } }));
    expect(back.status).toBe(204);
  });
});

describe("the events", () => {
  test("have the types that were asked for, and a contract does not know of them", async () => {
    const events = defineEvents({});
    const options = { events, presence: { events: { join: "came", leave: "went" } } } as unknown as Options;
    const { hub, log } = openOne(options);
    await (await connect(hub, "ada")).leave();
    await pass(grace);
    expect(await told(log)).toEqual(["came ada", "went ada"]);
  });

  test("are not there where they are not wanted", async () => {
    const { hub, log } = openOne({ presence: { events: false } });
    await connect(hub, "ada");
    expect(await idsOf(hub)).toEqual(["ada"]);
    expect(await told(log)).toEqual([]);
  });

  test("count as published, and nothing else of presence does", async () => {
    const { hub } = openOne();
    await (await connect(hub, "ada")).leave();
    await pass(grace + lease);
    expect(hub.stats().published).toBe(2);
  });

  test.each<[PresenceOptions, string]>([
    [{ events: { join: "sse:gap" } }, "ERR_SSE_TYPE"],
    [{ events: { leave: "two\nlines" } }, "ERR_SSE_TYPE"],
    [{ grace: -1 }, "ERR_SSE_OPTION"],
    [{ lease: 99 }, "ERR_SSE_OPTION"],
  ])("options that are not allowed are refused: %j", (options, code) => {
    expect(() => presence(options)).toThrow(expect.objectContaining({ code }));
  });
});

describe("a log that does not answer", () => {
  const never = () => new Promise<never>(() => {});

  test("is reported, asked again each second, and caught up with when it answers", async () => {
    const { hub, log, machine, errors } = openOne();
    const go = machine.freeze();
    await connect(hub, "ada");
    await pass(20_000);
    expect(errors.length).toBeGreaterThanOrEqual(3);
    for (const error of errors) expect(error).toEqual(["presence", expect.objectContaining(timeout)]);
    go();
    await pass(1_000);
    expect([await told(log), await idsOf(hub)]).toEqual([["join ada"], ["ada"]]);
  });

  test("lets members() reject within its deadline", async () => {
    const { hub, machine } = openOne({ limits: { logTimeout: "2s" } });
    vi.spyOn(machine, "head").mockImplementation(never);
    const members = hub.channel("room").members();
    members.catch(() => {});
    await pass(2_000);
    await expect(members).rejects.toMatchObject(timeout);
    vi.restoreAllMocks();
  });

  test("does not keep the hub from closing", async () => {
    const { hub, machine } = openOne({ limits: { logTimeout: "2s" } });
    await connect(hub, "ada");
    vi.spyOn(machine, "append").mockImplementation(never);
    await connect(hub, "bob");
    const closed = vi.fn();
    void hub.close().then(closed);
    await pass(5_000);
    expect(closed).toHaveBeenCalled();
    vi.restoreAllMocks();
  });
});

describe("a hub without presence", () => {
  const missing = { code: "ERR_SSE_OPTION", message: expect.stringContaining('from "sourcecast/presence"') };

  test("rejects a subscription with a member, and opens no stream", async () => {
    const hub = createHub();
    closing.push(() => hub.close());
    const request = new Request("http://localhost/");
    const response = hub.response(request, { channels: ["room"], member: { id: "ada" } });
    await expect(response).rejects.toMatchObject(missing);
    expect(hub.stats().connections).toBe(0);
  });

  test("rejects a question for members", async () => {
    const hub = createHub();
    closing.push(() => hub.close());
    await expect(hub.channel("room").members()).rejects.toMatchObject(missing);
  });

  test.each<[string, unknown]>([
    ["its options", { grace: "1s" }],
    ["the function itself", presence],
    ["a switch", true],
    ["null", null],
  ])("does not take %s for presence", (_, plugin) => {
    expect(() => createHub({ presence: plugin as never })).toThrow(expect.objectContaining({ code: "ERR_SSE_OPTION" }));
  });
});

test("a member is copied when it subscribes: what the application changes later is not seen", async () => {
  let answer: (allowed: boolean) => void = () => {};
  const authorize = () => new Promise<boolean>((resolve) => (answer = resolve));
  const { hub } = openOne({ authorize });
  const member = { id: "ada", data: { name: "Ada" } };
  const response = hub.response(new Request("http://localhost/"), { channels: ["room"], member });
  member.id = "";
  member.data.name = "Bob";
  answer(true);
  await (await response).body?.cancel();
  expect(await hub.channel("room").members()).toMatchObject([{ id: "ada", data: { name: "Ada" } }]);
});

test("one presence() serves several hubs", async () => {
  const plugin = presence({ grace, lease });
  const hubs = [createHub({ presence: plugin }), createHub({ presence: plugin })] as const;
  for (const hub of hubs) closing.push(() => hub.close());
  await connect(hubs[0], "ada");
  expect([await idsOf(hubs[0]), await idsOf(hubs[1])]).toEqual([["ada"], []]);
});

describe("visibility of the bookkeeping to clients", () => {
  test("is nothing, also where they follow everything, and authorize is not asked about it", async () => {
    const asked = new Set<string>();
    const authorize = ({ channel }: { channel: string }) => asked.add(channel) !== undefined;
    const { hub } = openOne({ authorize });
    const all = await connect(hub, "", { channels: ["*"], member: undefined as never });
    await connect(hub, "ada");
    await pass(lease);
    const late = await connect(hub, "", { channels: ["*"], member: undefined as never, rewind: 100 });
    await settle();
    for (const client of [all, late]) expect(client.parser.events.map(({ type }) => type)).toContain("join");
    for (const client of [all, late]) expect(client.text).not.toContain("lease");
    expect([...asked].sort()).toEqual(["*", "room"]);
  });
});

describe("a hub without members", () => {
  test("writes nothing for them and has no timer", async () => {
    const { hub, log, machine } = openOne();
    const timers = vi.getTimerCount();
    expect(await idsOf(hub)).toEqual([]);
    await pass(10 * lease);
    expect(vi.getTimerCount()).toBe(timers);
    await (await connect(hub, "", { member: undefined as never })).leave();
    await pass(10 * lease);
    expect([machine.appended, (await log.head()).top]).toEqual([[], 0]);
  });

  test("has none any more when the last one has left", async () => {
    const { hub, log, machine } = openOne();
    await (await connect(hub, "ada")).leave();
    await pass(grace);
    const { length } = machine.appended;
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1); // the housekeeping's last look
    await pass(100 * lease);
    expect(vi.getTimerCount()).toBe(0);
    expect(machine.appended.length).toBe(length);
    expect(await records(log)).toEqual([null, null]);
  });
});

describe("several machines", () => {
  test("have one list, and report a member once", async () => {
    const { log, machines } = openMachines(3);
    const [one, two, three] = machines.map(({ hub }) => hub) as [Hub, Hub, Hub];
    const first = await connect(one, "ada", { member: { id: "ada", data: 1 } });
    const came = Date.now();
    await pass(1_000);
    const second = await connect(two, "ada", { member: { id: "ada", data: 2 } });
    await connect(two, "bob");
    for (const hub of [one, two, three]) {
      expect(await hub.channel("room").members()).toEqual([
        { id: "ada", data: 2, since: came },
        { id: "bob", since: expect.any(Number) },
      ]);
    }
    await first.leave();
    await pass(2 * grace);
    expect(await idsOf(three)).toEqual(["ada", "bob"]);
    await second.leave();
    await pass(2 * grace);
    expect(await idsOf(three)).toEqual(["bob"]);
    expect(await told(log)).toEqual(["join ada", "join bob", "leave ada"]);
  });

  test("to which a member comes in the same moment report it once, and once when it has gone", async () => {
    const { log, machines } = openMachines(3);
    const clients = await Promise.all(machines.map(({ hub }) => connect(hub, "ada")));
    expect(await told(log)).toEqual(["join ada"]);
    await Promise.all(clients.map((client) => client.leave()));
    await pass(grace);
    expect(await told(log)).toEqual(["join ada", "leave ada"]);
  });

  test("a member that changes the machine within its grace has not left", async () => {
    const { log, machines } = openMachines(2);
    const [one, two] = machines.map(({ hub }) => hub) as [Hub, Hub];
    await (await connect(one, "ada")).leave();
    await pass(grace - 100);
    await connect(two, "ada");
    await pass(10 * grace);
    expect(await told(log)).toEqual(["join ada"]);
    expect(await idsOf(one)).toEqual(["ada"]);
  });

  test("each keeps the time since when a member is there, when the machine that it came to has lost it", async () => {
    const { machines } = openMachines(2);
    const [one, two] = machines.map(({ hub }) => hub) as [Hub, Hub];
    const came = Date.now();
    const first = await connect(one, "ada");
    await pass(1_000);
    await connect(two, "ada");
    await first.leave();
    await pass(grace);
    expect(await two.channel("room").members()).toEqual([{ id: "ada", since: came }]);
  });

  test("two of them that have the same cell in mind get one each", async () => {
    const { log, machines } = openMachines(2);
    await Promise.all(machines.map(({ hub }, index) => connect(hub, `m${index}`)));
    const held = (await records(log)) as { id?: string }[];
    expect(held.map(({ id }) => id).sort()).toEqual(["m0", "m1", undefined, undefined]);
    expect((await told(log)).sort()).toEqual(["join m0", "join m1"]);
  });
});

describe("a machine that crashes", () => {
  test("loses its members when its lease expires, once, but not those that joined elsewhere", async () => {
    const { log, machines } = openMachines(4);
    const [dead, ...others] = machines as [(typeof machines)[0], ...typeof machines];
    for (const id of ["ada", "bob", "carl"]) await connect(dead.hub, id);
    for (const { hub } of others) await connect(hub, "dora");
    dead.machine.die();
    await connect((others[0] as (typeof machines)[0]).hub, "ada");
    await pass(lease - 100);
    expect(await idsOf((others[0] as (typeof machines)[0]).hub)).toEqual(["ada", "bob", "carl", "dora"]);
    await pass(100 + lease / 3);
    for (const { hub } of others) expect(await idsOf(hub)).toEqual(["ada", "dora"]);
    await pass(10 * lease);
    expect((await told(log)).sort()).toEqual(
      ["join ada", "join bob", "join carl", "join dora", "leave bob", "leave carl"].sort(),
    );
    expect(others.flatMap(({ errors }) => errors)).toEqual([]);
  });

  test("has its members looked after by one that only asks", async () => {
    const { log, machines } = openMachines(2);
    const [dead, other] = machines as [(typeof machines)[0], (typeof machines)[0]];
    await connect(dead.hub, "ada");
    expect(await idsOf(other.hub)).toEqual(["ada"]);
    dead.machine.die();
    await pass(lease);
    expect(await told(log)).toEqual(["join ada", "leave ada"]);
    expect(await idsOf(other.hub)).toEqual([]);
  });

  test("and starts again: who reconnects has not left, who does not has", async () => {
    const log = memoryLog();
    const before = openMachine(log);
    await connect(before.hub, "ada");
    await connect(before.hub, "bob");
    before.machine.die();
    await pass(10 * lease);
    const after = openMachine(log);
    await connect(after.hub, "ada");
    expect(await idsOf(after.hub)).toEqual(["ada", "bob"]);
    await pass(lease);
    expect(await idsOf(after.hub)).toEqual(["ada"]);
    expect(await told(log)).toEqual(["join ada", "join bob", "leave bob"]);
  });

  test("but was only stopped for a while says that its members are there", async () => {
    const { log, machines } = openMachines(2);
    const [stopped, other] = machines as [(typeof machines)[0], (typeof machines)[0]];
    await connect(stopped.hub, "ada");
    await connect(other.hub, "bob");
    const go = stopped.machine.freeze();
    await pass(2 * lease);
    expect(await idsOf(other.hub)).toEqual(["bob"]);
    go();
    await settle();
    expect(await idsOf(other.hub)).toEqual(["bob", "ada"]);
    expect(await idsOf(stopped.hub)).toEqual(["bob", "ada"]);
    expect(await told(log)).toEqual(["join ada", "join bob", "leave ada", "join ada"]);
    // Its log did not answer during that.
    for (const error of stopped.errors) expect(error).toEqual(["presence", expect.objectContaining(timeout)]);
  });

  test("a machine that was stopped does not assume that the others are dead when it wakes up", async () => {
    const { log, machines } = openMachines(2);
    const [stopped, other] = machines as [(typeof machines)[0], (typeof machines)[0]];
    await connect(other.hub, "bob");
    expect(await idsOf(stopped.hub)).toEqual(["bob"]);
    const go = stopped.machine.freeze();
    await pass(10 * lease);
    go();
    await pass(10 * lease);
    expect(await told(log)).toEqual(["join bob"]);
  });
});

describe("a machine that is closed", () => {
  test("leaves its members to the others for their grace", async () => {
    const { log, machines } = openMachines(2);
    const [one, two] = machines.map(({ hub }) => hub) as [Hub, Hub];
    await connect(one, "ada");
    await connect(one, "bob");
    expect(await idsOf(two)).toEqual(["ada", "bob"]);
    await one.close();
    await connect(two, "ada");
    await pass(grace - 100);
    expect(await idsOf(two)).toEqual(["ada", "bob"]);
    await pass(100);
    expect(await idsOf(two)).toEqual(["ada"]);
    expect(await told(log)).toEqual(["join ada", "join bob", "leave bob"]);
    await expect(one.channel("room").members()).rejects.toMatchObject({ code: "ERR_SSE_CLOSED" });
  });

  test("and whose log fails at that moment closes nevertheless, and reports it", async () => {
    const { hub, machine, errors } = openOne();
    await connect(hub, "ada");
    machine.failure = new Error("the disk is full");
    await hub.close();
    expect(errors).toEqual([["presence", machine.failure]]);
  });
});

describe("a log", () => {
  test("that fails is told of, and tried again until it works", async () => {
    const { hub, log, machine, errors } = openOne();
    await hub.cursor();
    machine.failure = new Error("the disk is full");
    await expect(hub.channel("room").members()).rejects.toBe(machine.failure);
    machine.failure = null;
    const response = await hub.channel("room").response(new Request("http://localhost/"), { member: { id: "ada" } });
    machine.failure = new Error("the disk is full");
    await pass(3_000);
    expect(errors).toContainEqual(["presence", machine.failure]);
    expect(errors.length).toBeLessThan(10);
    machine.failure = null;
    await pass(1_000);
    expect((await told(log))[0]).toBe("join ada");
    await response.body?.cancel();
  });

  test("that is another one than before is told who is here", async () => {
    const { hub, machine } = openOne();
    await connect(hub, "ada");
    await (await connect(hub, "bob")).leave();
    const restored = memoryLog();
    await restored.append([{ channel: "elsewhere", type: "first", data: "" }]);
    machine.replace(restored);
    await settle();
    expect(await told(restored)).toEqual(["join ada", "join bob"]);
    await pass(grace);
    expect(await idsOf(hub)).toEqual(["ada"]);
  });

  test("whose entries are gone before they came in still has the members", async () => {
    const log = memoryLog({ maxEvents: 5 });
    const one = openMachine(log);
    const two = openMachine(log);
    await connect(two.hub, "bob");
    const go = two.machine.freeze();
    await connect(one.hub, "ada");
    for (let count = 0; count < 20; count++) await one.hub.channel("news").dispatch("headline", count);
    go();
    await settle();
    await one.hub.channel("news").dispatch("headline", "last");
    await settle();
    expect(await idsOf(two.hub)).toEqual(["bob", "ada"]);
  });
});

describe("the costs", () => {
  test("a tab more costs nothing, a member two cells and an event, a quiet time one cell in a third of the lease", async () => {
    const { hub, machine } = openOne();
    await connect(hub, "ada");
    expect(machine.appended.map(({ channel }) => channel)).toEqual([presenceChannel, presenceChannel, "room"]);
    await connect(hub, "ada");
    await connect(hub, "ada");
    expect(machine.appended.length).toBe(3);
    await pass(lease);
    expect(machine.appended.length).toBe(3 + 3);
  });

  test("cells are used again: the log keeps as many as there were members at one time", async () => {
    const { hub, log } = openOne();
    for (let visitor = 0; visitor < 50; visitor++) {
      await (await connect(hub, `visitor-${visitor}`, { channels: [`room-${visitor}`] })).leave();
      await pass(grace);
    }
    expect(await records(log)).toHaveLength(2);
  });

  test("who comes in one tick is written together", async () => {
    const { hub, log, machine } = openOne();
    let appends = 0;
    const append = machine.append.bind(machine);
    machine.append = (entries) => {
      appends++;
      return append(entries);
    };
    await Promise.all(Array.from({ length: 300 }, (_, index) => connect(hub, `m${index}`)));
    expect(await idsOf(hub)).toHaveLength(300);
    expect((await told(log)).length).toBe(300);
    expect(appends).toBeLessThanOrEqual(10);
  });
});
