import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ManagedConnection } from "../../src/adapters/express/connections.ts";
import { createSSE } from "../../src/adapters/express.ts";
import { openEventSource, respond } from "../../src/adapters/node.ts";
import { sendEvents, withSendEvents } from "../../src/adapters/oak.ts";
import { eventHandler, eventRoute, openEvents } from "../../src/adapters/ts-rest.ts";
import { hubChecks, publishChecks, subscribeChecks } from "../../src/hub/option-checks.ts";
import { createHub, EventSource, EventSourceSet, type Hub, ServerSentEvent } from "../../src/index.ts";
import {
  AppendQueue,
  completeLog,
  IdempotencyWindow,
  LocateQueue,
  SharedPages,
  TailFanout,
} from "../../src/log/index.ts";
import { retentionChecks } from "../../src/log/retention.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { sqliteLog } from "../../src/logs/sqlite/index.ts";
import { presence } from "../../src/presence/index.ts";
import { sourceChecks } from "../../src/source/options.ts";
import { pipeChecks } from "../../src/source/pipe.ts";
import { checkContract, collect, MemoryClient, PlainLog, testAdapter, testLog } from "../../src/testing/index.ts";
import { defineEvents } from "../../src/wire/contract.ts";
import { EventStreamParser, encodeEvent } from "../../src/wire/index.ts";
import { request } from "../support/web.ts";

type Options = Readonly<Record<string, unknown>>;
/** Calls a public function with options. The others of its arguments are valid, or not looked at before the options. */
type Call = (options: Options) => unknown;

let hub: Hub;
let source: EventSource;

beforeEach(() => {
  hub = createHub({ presence: presence() });
  source = new EventSource(request());
});
afterEach(async () => {
  await source.close();
  await hub.close();
});

const flags = [0, 1, "true", null, {}];
const functions = [7, "f", null, {}, true];
const names = [null, "", 5, {}, true, "\ud800", "a\udfff"];
const durations = [-1, "soon", "10", null, {}, [], true, Number.NaN, Number.POSITIVE_INFINITY];
const sizes = [-1, "big", "1tb", null, {}, true, Number.NaN];
const counts = [-1, 1.5, "5", null, {}, true, Number.NaN];
const groups = [null, 5, "x", true, [], { nonsense: 1 }];
const contracts = [null, {}, 5, () => {}];
const compressions = [null, 5, "gzip", [], { threshold: 0 }, { threshold: 1.5 }, { level: 9 }];
const anyEvents = defineEvents({});

const response = { headers: [null, "x: y", 5, true, [5], { "x y": "z" }, { x: "a\nb" }], cors: cors() };
const stream = {
  keepAlive: [0, ...durations],
  retry: [0, [5, 1], [5], ...durations],
  closeOnSignal: flags,
  events: contracts,
};
const sourceOptions = {
  ...stream,
  ...response,
  render: functions,
  renderTimeout: durations,
  maxBufferedBytes: sizes,
  onOverflow: ["keep", "", 5, true, null, {}],
  negotiate: flags,
};
const hubOptions = {
  ...stream,
  log: [null, {}, memoryLog, "memory", 5],
  name: names,
  limits: groups,
  authorize: functions,
  reauthorize: durations,
  snapshot: functions,
  onLoss: functions,
  onError: functions,
  ring: groups,
  presence: [null, {}, presence, true, { grace: "1s" }],
  compress: compressions,
};
const subscription = {
  ...response,
  // Values that may come from a client, as all may that are null, are answered with 400: see client-input.test.ts.
  channels: ["news", 5, {}, true],
  join: ["news", 5, {}, true],
  label: [0, 1, "true", {}],
  forbidden: ["news", 5, {}, true],
  control: [null, 5, "end", { ends: false }, { end: true }, { end: {} }, { loss: {} }],
  rewind: ["5", {}, true],
  from: [5, {}, true],
  filter: functions,
  sender: [5, {}, true],
  key: [5, {}, true],
  member: [5, "ada", [], { id: "ada", name: "Ada" }],
  snapshot: functions,
  compress: compressions,
  rejectOverload: flags,
};
const published = { key: names, sender: names, idempotencyKey: names };
const piped = {
  type: names,
  map: functions,
  end: [null, 5, "", {}, { type: "" }, { name: "x" }],
  signal: [null, {}, 5, true],
};
const retention = { maxEvents: [0, ...counts], maxBytes: sizes, maxAge: durations, idempotencyWindow: durations };

/** Every public function that takes options: its call, and for each option values that it does not take. */
const cases: Readonly<Record<string, readonly [call: Call, wrong: Readonly<Record<string, readonly unknown[]>>]>> = {
  EventSource: [(o) => new EventSource(request(), o), sourceOptions],
  openEventSource: [(o) => openEventSource(null as never, null as never, o), { ...sourceOptions, fastWrite: flags }],
  sendEvents: [(o) => sendEvents(null as never, o), { ...sourceOptions, keepAlive: [0, "soon", null, {}] }],
  withSendEvents: [(o) => withSendEvents(o), { ...sourceOptions, keepAlive: [0, "soon", null, {}] }],
  EventSourceSet: [(o) => new EventSourceSet(o as never), { events: contracts, compress: compressions }],
  "EventSourceSet, second": [(o) => new EventSourceSet([], o as never), { events: contracts, compress: compressions }],
  ServerSentEvent: [
    (o) => new ServerSentEvent("t", 1, o),
    { replacer: [5, "x", true, {}], space: [null, {}, true], cancelable: flags },
  ],
  "source.response": [
    (o) => {
      const opened = new EventSource(request());
      void opened.close();
      return opened.response(o);
    },
    { headers: response.headers, status: [0, 99, 600, "200", null, 200.5], statusText: [null, 5, {}] },
  ],
  "source.pipe": [(o) => source.pipe(["x"], o), piped],
  createHub: [(o) => createHub(o), hubOptions],
  "createHub, limits": [
    (limits) => createHub({ limits }),
    {
      "limits.connections": counts,
      "limits.connectionsPerKey": counts,
      "limits.channels": counts,
      "limits.eventSize": sizes,
      "limits.maxReplay": counts,
      "limits.maxLifetime": durations,
      "limits.callbackTimeout": durations,
      "limits.logTimeout": durations,
      "limits.stallTimeout": durations,
    },
  ],
  "createHub, ring": [(ring) => createHub({ ring }), { "ring.maxEvents": [0, ...counts], "ring.maxBytes": sizes }],
  "hub.response": [(o) => hub.response(request(), { channels: ["a"], ...o }), subscription],
  "hub.channel": [(o) => hub.channel("a", o), { compress: compressions }],
  "channel.response": [(o) => hub.channel("a").response(request(), o), without(subscription, "channels")],
  respond: [(o) => respond(hub, ...nodeExchange(), { channels: ["a"], ...o }), { ...subscription, fastWrite: flags }],
  "hub.drain": [(o) => hub.drain(o), { within: durations }],
  "channel.dispatch": [(o) => hub.channel("a").dispatch("t", 1, o), published],
  "channel.dispatchAll": [(o) => hub.channel("a").dispatchAll([{ type: "t", ...o }]), published],
  "channel.dispatchMessage": [(o) => hub.channel("a").dispatchMessage(1, o), published],
  "channel.pipe": [
    (o) => hub.channel("a").pipe(["x"], o),
    { ...piped, endChannel: flags, stopWithoutSubscribers: durations },
  ],
  presence: [(o) => presence(o), { grace: durations, lease: [99, "50ms", ...durations], events: groups }],
  "presence, events": [(events) => presence({ events }), { "events.join": names, "events.leave": names }],
  memoryLog: [(o) => memoryLog(o), { ...retention, witnessAge: durations }],
  sqliteLog: [
    (o) => sqliteLog({ path: ":memory:", ...o }),
    {
      ...retention,
      witnessAge: durations,
      path: ["", " ", null, 5, {}],
      durability: ["disk", null, true],
      busyTimeout: durations,
    },
  ],
  createSSE: [
    (o) => createSSE(o),
    { ...without(hubOptions, "limits"), connections: counts, connectionTimeout: durations, idleTimeout: durations },
  ],
  "sse.attach": [
    (o) => createSSE({ log: memoryLog() }).attach("ada", nodeExchange()[1], o),
    without(subscription, "channels", "key"),
  ],
  "sse.send": [(o) => createSSE({ log: memoryLog() }).send("t", 1, o), { to: [null, "", 5, {}, true] }],
  openEvents: [
    (o) => openEvents({ path: "/x", metadata: { events: anyEvents } }, { baseUrl: "", ...o }),
    {
      baseUrl: [null, 5],
      query: [null, 5],
      credentials: [null, 5, true],
      channels: [null, "", [5]],
      onInvalid: [null, 5, {}],
    },
  ],
  eventRoute: [
    (o) => eventRoute({ path: "/x", events: anyEvents, ...o }),
    { path: names, events: contracts, responses: [null, 5, true], metadata: [null, 5] },
  ],
};

/** A request of node:http with nothing that its client may have sent, and its response. */
function nodeExchange(): [IncomingMessage, ServerResponse] {
  const req = Object.assign(new IncomingMessage(new Socket()), { method: "GET", url: "/" });
  return [req, new ServerResponse(req)];
}

const functionsUnderTest = Object.entries(cases).map(([name, [call, wrong]]) => ({ name, call, wrong }));

describe.each(functionsUnderTest)("$name", ({ name: functionName, call, wrong }) => {
  const optionsOf = (path: string, value: unknown) => ({ [path.split(".").at(-1) as string]: value });

  test.each(Object.keys(wrong))("rejects what %s does not take, and says what it does", async (path) => {
    for (const value of wrong[path] ?? []) {
      const error = await errorOf(() => call(optionsOf(path, value)));
      const label = `${path}: ${JSON.stringify(value)}`;
      expect(error, label).toMatchObject({ code: expect.stringMatching(/^ERR_SSE_(OPTION|CHANNEL)$/) });
      expect(error.message, label).toContain(path.split(".").at(-1));
      expect(error.message, label).toMatch(/^[A-Z].*; .*[^.]$/s);
    }
  });

  test("rejects an option that it does not have, with the nearest name", async () => {
    for (const path of Object.keys(wrong)) {
      const name = path.split(".").at(-1) as string;
      for (const typo of [name.toUpperCase(), `${name}s`, name.slice(0, -1)].filter(
        (text) => !(name.length < 4 && text.length < 4) && !isKnown(wrong, text),
      )) {
        const error = await errorOf(() => call({ [typo]: 1 }));
        expect(error, typo).toMatchObject({ code: "ERR_SSE_OPTION" });
        expect(error.message, typo).toMatch(new RegExp(`did you mean \\S*${name}\\?$`));
      }
    }
  });

  // A route of ts-rest has properties of ts-rest, too.
  const others = functionName === "eventRoute" ? [] : ["x", "constructor", "toString", "__proto_", "aDifferentName"];
  test.each(others)("rejects %s", async (name) => {
    expect(await errorOf(() => call({ [name]: undefined }))).toMatchObject({ code: "ERR_SSE_OPTION" });
  });
});

// A new option needs wrong values above: the compiler asks for its check, and this for the test of it.
test.each<[string, object]>([
  ["EventSource", sourceChecks],
  ["createHub", hubChecks],
  ["hub.response", subscribeChecks],
  ["channel.dispatch", without(publishChecks, "after")],
  ["source.pipe", pipeChecks],
  ["memoryLog", retentionChecks],
])("the values for %s leave no option out", (name, checks) => {
  expect(Object.keys(cases[name]?.[1] ?? {}).sort()).toEqual(Object.keys(checks).sort());
});

describe("options as a whole", () => {
  test.each<[string, (options: never) => unknown]>([
    ["EventSource", (o) => new EventSource(request(), o)],
    ["createHub", (o) => createHub(o)],
    ["memoryLog", (o) => memoryLog(o)],
    ["presence", (o) => presence(o)],
    ["createSSE", (o) => createSSE(o)],
    ["hub.drain", (o) => hub.drain(o)],
    ["channel.dispatch", (o) => hub.channel("a").dispatch("t", 1, o)],
    ["source.dispatch", (o) => source.dispatch("t", 1, o)],
    ["source.pipe", (o) => source.pipe([], o)],
  ])("%s takes no null and no list for its options", async (_, call) => {
    for (const options of [null, []]) {
      expect(await errorOf(() => call(options as never))).toMatchObject({ code: "ERR_SSE_OPTION" });
    }
  });

  test("an option that is undefined is absent", async () => {
    expect(() => new EventSource(request(), { keepAlive: undefined } as never).close()).not.toThrow();
    await createHub({ log: undefined, limits: { connections: undefined } } as never).close();
    await hub.channel("a").dispatch("t", 1, { key: undefined, sender: undefined } as never);
  });

  test("options may be inherited", async () => {
    const options = Object.create({ keepAlive: 1_234 });
    const opened = new EventSource(request(), options);
    void opened.close();
    expect(await opened.response().text()).toContain(": keep-alive 1234\n");
    expect(() => new EventSource(request(), Object.create({ keepalive: 5 }))).toThrow(/did you mean keepAlive\?$/);
  });
});

describe("the fields of an event on a source", () => {
  test.each([{ event: "x" }, { ID: "7" }, { data: 1 }, { type: "x" }])("are id and retry: %j", (options) => {
    const rejected = expect.objectContaining({ code: "ERR_SSE_OPTION" });
    expect(() => source.dispatch("t", 1, options as never)).toThrow(rejected);
    expect(() => source.dispatchMessage(1, options as never)).toThrow(rejected);
    expect(() => new EventSourceSet().dispatch("t", 1, options as never)).toThrow(rejected);
  });
});

test.each([
  [1, 2],
  [() => "<b>", 5_000],
])("EventSource takes its keep-alive and its render function in one argument, not in two", (...more) => {
  const create = () => new (EventSource as unknown as new (...args: unknown[]) => EventSource)(request(), ...more);
  expect(create).toThrow(
    expect.objectContaining({ code: "ERR_SSE_OPTION", message: expect.stringContaining("render") }),
  );
});

describe("an event type", () => {
  test.each([undefined, null, 5, "", {}, [], Symbol("t")])("is a string: %s is not", async (type) => {
    const rejected = { code: "ERR_SSE_TYPE" };
    const channel = hub.channel("a");
    expect(await errorOf(() => source.dispatch(type as never, 1))).toMatchObject(rejected);
    expect(await errorOf(() => new EventSourceSet().dispatch(type as never, 1))).toMatchObject(rejected);
    expect(await errorOf(() => new ServerSentEvent(type as never, 1))).toMatchObject(rejected);
    expect(await errorOf(() => channel.dispatchAll([{ type: type as never, data: 1 }]))).toMatchObject(rejected);
    if (!Array.isArray(type)) expect(await errorOf(() => channel.dispatch(type as never, 1))).toMatchObject(rejected);
  });

  test.each([[null], [undefined], ["t"], [5]])("of a list of events comes in an object: %j does not", async (event) => {
    expect(await errorOf(() => hub.channel("a").dispatchAll([event as never]))).toMatchObject({
      code: "ERR_SSE_OPTION",
    });
  });
});

describe("the limit eventSize", () => {
  const huge = "x".repeat(2 ** 20 + 1);

  test.each([
    { type: huge },
    { type: "t", key: huge },
    { type: "t", sender: huge },
    { type: "t", idempotencyKey: huge },
  ])("holds for the names of an event, too", async (event) => {
    const error = await errorOf(() => hub.channel("a").dispatchAll([event]));
    expect(error).toMatchObject({ code: "ERR_SSE_LIMIT" });
    expect(error.message.length).toBeLessThan(300);
  });

  test("leaves room for short names, however small it is", async () => {
    const small = createHub({ limits: { eventSize: 1 } });
    await small.channel("a").dispatch("message", "x", { key: "k", sender: "s", idempotencyKey: "i" });
    await small.close();
  });
});

describe("an element of JSX without a render function", () => {
  test.each<[string, object]>([
    ["React", { $$typeof: Symbol.for("react.element"), type: "b", props: {} }],
    ["Preact", { type: "b", props: {}, key: undefined, constructor: undefined }],
    ["Vue", { __v_isVNode: true, type: "b", props: {} }],
    ["Hono", { tag: "b", props: {}, children: [], isEscaped: true }],
  ])("is rejected: of %s", async (_, element) => {
    const rejected = { code: "ERR_SSE_DATA", message: expect.stringContaining("render") };
    for (const data of [element, [element]]) {
      expect(await errorOf(() => source.dispatch("t", data))).toMatchObject(rejected);
      expect(await errorOf(() => new ServerSentEvent("t", data))).toMatchObject(rejected);
      expect(await errorOf(() => hub.channel("a").dispatch("t", data))).toMatchObject(rejected);
    }
    const rendering = new EventSource(request(), () => "<b>");
    expect(rendering.dispatch("t", element)).toBe(true);
    await rendering.close();
  });

  test.each([{ type: "b", props: {} }, Object.assign(Object.create(null), { type: "b", props: 1 }), { tag: "b" }])(
    "is not taken for data that only looks a little like one: %j",
    (data) => expect(source.dispatch("t", data)).toBe(true),
  );
});

describe("an async function whose result is needed at once", () => {
  const failing = () => Promise.reject(new Error("too late"));

  test.each<[string, () => Promise<boolean>]>([
    ["resolves", async () => true],
    ["rejects", failing],
  ])("ends the stream as a filter, and is reported: one that %s", async (_, filter) => {
    const errors: unknown[] = [];
    const reporting = createHub({ onError: (error, { stage }) => errors.push([stage, error]) });
    const channel = reporting.channel("a");
    const response = await channel.response(request(), { filter: filter as never });
    const text = response.text();
    await channel.dispatch("t", 1);
    expect(await text).not.toContain("event: t");
    expect(errors).toEqual([["filter", expect.objectContaining({ code: "ERR_SSE_OPTION" })]]);
    await reporting.close();
  });

  test("is reported as the filter of a manager, too", async () => {
    const errors: unknown[] = [];
    const sse = createSSE({ onError: (error) => errors.push(error) });
    const wrapped = new ManagedConnection("ada").noting(failing as never);
    const response = await sse.hub.response(request(), { channels: ["a"], filter: wrapped });
    const text = response.text();
    await sse.hub.channel("a").dispatch("t", 1);
    await text;
    expect(errors).toEqual([expect.objectContaining({ code: "ERR_SSE_OPTION" })]);
    await sse.hub.close();
  });

  test("closes the source as onOverflow, and is reported", async () => {
    const opened = new EventSource(request(), { maxBufferedBytes: 10, onOverflow: failing as never });
    const errors: unknown[] = [];
    opened.addEventListener("error", (event) => errors.push((event as unknown as { error: unknown }).error));
    for (let n = 0; n < 3; n++) opened.dispatch("t", "x".repeat(100_000));
    expect([opened.readyState, errors]).toEqual([2, [expect.objectContaining({ code: "ERR_SSE_OPTION" })]]);
    await opened.close();
  });
});

test("a wrong answer of onOverflow closes the source, and is reported", async () => {
  const opened = new EventSource(request(), { maxBufferedBytes: 10, onOverflow: (() => "later") as never });
  const errors: unknown[] = [];
  opened.addEventListener("error", (event) => errors.push((event as unknown as { error: unknown }).error));
  for (let n = 0; n < 3; n++) opened.dispatch("t", "x".repeat(100_000));
  expect([opened.readyState, errors]).toEqual([2, [expect.objectContaining({ code: "ERR_SSE_OPTION" })]]);
  await opened.close();
});

describe("sourcecast/ts-rest", () => {
  const rejected = expect.objectContaining({ code: "ERR_SSE_OPTION" });
  const route = { path: "/x/:id/:day?", metadata: { events: anyEvents } } as const;

  test.each([{}, { path: "/x" }, { events: anyEvents }, { path: "/x", events: undefined }, null])(
    "eventRoute() needs a path and a contract: %j has not both",
    (init) => expect(() => eventRoute(init as never)).toThrow(rejected),
  );

  test("eventRoute() leaves the properties of ts-rest to ts-rest", () => {
    expect(eventRoute({ path: "/x", events: anyEvents, summary: "All", validateResponseOnClient: true })).toMatchObject(
      {
        summary: "All",
        validateResponseOnClient: true,
      },
    );
  });

  test.each(functions)("eventHandler() takes a controller, and not %j", (controller) => {
    expect(() => eventHandler(controller as never)).toThrow(rejected);
    expect(() => eventHandler(undefined as never)).toThrow(rejected);
  });

  test.each([
    [route, undefined],
    [route, { query: {} }],
    [route, { baseUrl: "" }],
    [route, { baseUrl: "", params: { id: null } }],
    [undefined, { baseUrl: "" }],
    [{ path: "/x" }, { baseUrl: "" }],
  ])("openEvents() needs a route, a baseUrl, and the parameters of the path", (of, options) => {
    expect(() => openEvents(of as never, options as never)).toThrow(rejected);
  });

  test("openEvents() does not need the parameters that are optional", () => {
    openEvents(route, { baseUrl: "http://localhost", params: { id: 1 } as never }).close();
  });
});

test.each(names)("hub.revoke() takes a key that a subscription can have, and not %j", (key) => {
  expect(() => hub.revoke(key as never)).toThrow(expect.objectContaining({ code: "ERR_SSE_OPTION" }));
  expect(() => hub.revoke(undefined as never)).toThrow(expect.objectContaining({ code: "ERR_SSE_OPTION" }));
});

function cors(): readonly unknown[] {
  return [
    null,
    5,
    "",
    false,
    {},
    [5],
    { origin: 5 },
    { credentials: true },
    { origins: ["x"] },
    { origin: true, maxAge: -1 },
    // A site that the user visits could read the user's stream.
    { origin: true, credentials: true },
    { origin: "*", credentials: true },
    { origin: ["*"], credentials: true },
    ["*"],
    ["https://a.example", "*"],
  ];
}

function without<O extends object>(options: O, ...left: string[]): { [name: string]: O[keyof O] } {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !left.includes(name)));
}

function isKnown(wrong: object, name: string): boolean {
  return Object.keys(wrong).some((path) => path.split(".").at(-1) === name);
}

/** The error that a call throws, or that its promise rejects with. */
async function errorOf(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}

describe("arguments of the kit for logs, of the wire, and of the suites", () => {
  const rejected = expect.objectContaining({ code: "ERR_SSE_OPTION" });
  const { capabilities: _, ...withoutCapabilities } = Object.fromEntries(
    ["append", "head", "read", "tail", "close", "capabilities"].map((name) => [name, () => {}]),
  );

  test.each([undefined, null, 5, {}, memoryLog, withoutCapabilities])("is not a log: %j", (log) => {
    expect(() => completeLog(log as never)).toThrow(rejected);
    if (log !== undefined) expect(() => createHub({ log: log as never })).toThrow(rejected);
  });

  test.each([undefined, {}, { store: 5 }, { store: null }])("does not store calls: %j", (options) => {
    expect(() => new AppendQueue(options as never)).toThrow(rejected);
  });

  test.each<[string, (wrong: never) => unknown]>([
    ["new LocateQueue()", (wrong) => new LocateQueue(wrong)],
    ["new SharedPages()", (wrong) => new SharedPages(wrong)],
    ["new TailFanout()", (wrong) => new TailFanout(wrong)],
    ["new IdempotencyWindow()", (wrong) => new IdempotencyWindow(wrong)],
    ["new MemoryClient()", (wrong) => new MemoryClient(wrong)],
    ["collect()", (wrong) => collect(wrong)],
    ["checkContract()", (wrong) => checkContract(wrong, {} as never)],
    ["new EventStreamParser()", (wrong) => new EventStreamParser(wrong)],
    ["encodeEvent()", (wrong) => encodeEvent(wrong)],
    ["channel.dispatchAll()", (wrong) => createHub().channel("a").dispatchAll(wrong)],
  ])("are those of %s", async (_, call) => {
    for (const wrong of [null, "5", { nonsense: 1 }]) {
      await expect(async () => call(wrong as never)).rejects.toThrow(rejected);
    }
  });

  test("name the field of an event that was meant", () => {
    expect(() => encodeEvent({ typ: "a" } as never)).toThrow("did you mean type?");
    expect(() => new PlainLog({} as never)).toThrow(rejected);
  });

  test.each([undefined, {}, { test: 5 }, { test: () => {}, storage: 5, start: 5 }, { test: () => {}, nonsense: 1 }])(
    "does not fit a suite: %j",
    (options) => {
      expect(() => testLog(options as never)).toThrow(rejected);
      expect(() => testAdapter(options as never)).toThrow(rejected);
    },
  );
});
