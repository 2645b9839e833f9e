// Wrong input of each public entry point of the client: the error names it, and comes before anything is sent.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { effectScope } from "vue";
import { createSubscription } from "../../src/bindings/svelte.ts";
import { useEvent, useSubscription } from "../../src/bindings/vue.ts";
import { readArguments } from "../../src/cli/arguments.ts";
import { EventSource } from "../../src/client/eventsource.ts";
import { EventStreamDecoder, readEventStream, type Subscription, subscribe } from "../../src/client/index.ts";
import { expectConsole } from "../support/console.ts";

let server: Server;
let url: string;
let requests = 0;
beforeAll(async () => {
  server = createServer((_, res) => {
    requests++;
    res.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => void server.close());

const streamOptions: readonly (readonly [name: string, options: object])[] = [
  ["chanels", { chanels: [] }],
  ["channels", { channels: "a" }],
  ["channels", { channels: ["", 5] }],
  ["channels", { channels: ["a", ""] }],
  ["after", { after: 5 }],
  ["after", { after: "7\r\n" }],
  ["after", { after: null }],
  ["events", { events: { price: {} } }],
  ["headers", { headers: "authorization" }],
  ["headers", { headers: { "a b": "c" } }],
  ["method", { method: "TRACE" }],
  ["method", { method: 5 }],
  ["body", { body: 5 }],
  ["credentials", { credentials: true }],
  ["fetch", { fetch: "fetch" }],
  ["signal", { signal: new AbortController() }],
  ["share", { share: "tab" }],
  ["identity", { share: "browser" }],
  ["identity", { identity: "" }],
  ["worker", { worker: () => ({}) }],
  ["retry", { retry: true }],
  ["retry.initial", { retry: { initial: 0 } }],
  ["retry.initial", { retry: { initial: "fast" } }],
  ["retry.max", { retry: { max: -1 } }],
  ["retry.max", { retry: { initial: "1h", max: "1s" } }],
  ["timeout", { timeout: "5s" }],
  ["timeout.connect", { timeout: { connect: 0 } }],
  ["timeout.idle", { timeout: { idle: Number.NaN } }],
  ["shouldRetry", { shouldRetry: true }],
  ["lastEventIdIn", { lastEventIdIn: "body" }],
  ["maxEventSize", { maxEventSize: "16" }],
  ["maxEventSize", { maxEventSize: -1 }],
  ["validate", { validate: 0 }],
  ["onInvalid", { onInvalid: {} }],
];

/** Not `null` and no list either, of any function that takes an object. */
const noOptions: readonly (readonly [name: string, options: unknown])[] = [
  ["options", null],
  ["options", []],
];

const addresses = [
  "",
  5,
  null,
  undefined,
  {},
  "/path",
  "http://:bad",
  "ftp://localhost/",
  "file:///etc/hosts",
  "data:text/event-stream,data:%20x%0A%0A",
  "localhost:3000/events",
  new URL("ftp://localhost/"),
];

const useStream = (use: (stream: Subscription) => unknown): void => {
  const stream = subscribe(url);
  try {
    use(stream);
  } finally {
    stream.close();
  }
};

/** A name that the error has to contain, and a call that has to throw it. */
type Case = readonly [label: string, name: string, call: () => unknown];

const named = (value: unknown): string => (value instanceof URL ? value.href : (JSON.stringify(value) ?? "undefined"));
const eventTypes = [5, "", undefined, null, "sse:gap", "sse:end"];
const listeners = [5, "x", null, undefined, {}];

const cases: readonly Case[] = [
  ...[...streamOptions, ...noOptions].map(
    ([name, options]): Case => [
      `subscribe(): ${named(options)}`,
      name,
      () => subscribe(url, options as never).on("*", () => {}),
    ],
  ),
  ...addresses.map((address): Case => [`subscribe(${named(address)})`, "url", () => subscribe(address as never)]),
  ...eventTypes.flatMap((type): Case[] => [
    [`on(${named(type)})`, "event type", () => useStream((stream) => stream.on(type as never, () => {}))],
    [`once(${named(type)})`, "event type", () => useStream((stream) => stream.once(type as never, () => {}))],
  ]),
  ...listeners.flatMap((listener): Case[] =>
    (["on", "once", "onLoss", "onStatus", "onComment"] as const).map((name) => [
      `${name}() with ${named(listener)}`,
      "listener",
      () =>
        useStream((stream) =>
          name === "on" || name === "once" ? stream[name]("a", listener as never) : stream[name](listener as never),
        ),
    ]),
  ),
  ...[
    ...noOptions,
    ["bufer", { bufer: 5 }] as const,
    ["types", { types: "a" }] as const,
    ["types", { types: [5] }] as const,
    ["types", { types: [""] }] as const,
    ["types", { types: ["sse:gap"] }] as const,
    ...[0, -1, Number.NaN, 1.5, "5", Number.POSITIVE_INFINITY].map((buffer) => ["buffer", { buffer }] as const),
    ["whenFull", { whenFull: "drop" }] as const,
  ].flatMap(([name, options]): Case[] => [
    [`events(): ${named(options)}`, name, () => useStream((stream) => stream.events(options as never))],
    [`batches(): ${named(options)}`, name, () => useStream((stream) => stream.batches(options as never))],
  ]),
  ...[
    ["withCredentials", { withCredentials: "yes" }] as const,
    ["headers", { headers: 5 }] as const,
    ["fetch", { fetch: {} }] as const,
    ["lastEventId", { lastEventId: 5 }] as const,
    ["lastEventId", { lastEventId: "a\nb" }] as const,
    ["method", { method: "HEAD" }] as const,
    ["method", { method: "GET", body: "x" }] as const,
    ["body", { body: true }] as const,
    ["channels", { channels: ["a"] }] as const,
    ["init", "options"] as const,
  ].map(
    ([name, init]): Case => [
      `new EventSource(): ${named(init)}`,
      name,
      () => new EventSource(url, init as never).close(),
    ],
  ),
  ["new EventSource()", "address", () => new (EventSource as never as new () => object)()],
  ["new EventSource(path)", "address", () => new EventSource("/path")],
  ...[undefined, null, 5, "data: x", {}].map(
    (body): Case => [
      `readEventStream(${named(body)})`,
      body === undefined ? "undefined" : "readEventStream()",
      () => readEventStream(body as never),
    ],
  ),
  ...[
    ...noOptions,
    ["maxEventSize", { maxEventSize: 0 }] as const,
    ["maxEventSize", { maxEventSize: "5" }] as const,
    ["maxSize", { maxSize: 5 }] as const,
  ].flatMap(([name, options]): Case[] => [
    [`readEventStream(): ${named(options)}`, name, () => readEventStream(["data: x\n\n"] as never, options as never)],
    [`new EventStreamDecoder(): ${named(options)}`, name, () => new EventStreamDecoder(options as never)],
  ]),
  ["new EventStreamDecoder() with an id", "lastEventId", () => new EventStreamDecoder({ lastEventId: 5 } as never)],
  ...streamOptions.flatMap(([name, options]): Case[] => [
    [`Svelte: ${named(options)}`, name, () => createSubscription(url, options as never).on("*", () => {})],
  ]),
  ...eventTypes.map(
    (type): Case => [
      `Svelte: on(${named(type)})`,
      "event type",
      () => createSubscription(url).on(type as never, () => {}),
    ],
  ),
  ["Svelte: a listener", "listener", () => createSubscription(url).on("a", 5 as never)],
  ...(
    [
      [["--channel", ""], "--channel"],
      [["--header", "x"], "--header"],
      [["--header", "a b: c"], "--header"],
      [["--header", ": c"], "--header"],
      [["--method", "HEAD"], "--method"],
      [["--method", "P OST"], "--method"],
      [["--method", "GET", "--data", "x"], "--method"],
      [["--data", "@/no/such/file"], "--data"],
      [["--after", "7\n"], "--after"],
      [["--type", ""], "--type"],
      [["--type", "sse:gap"], "--type"],
      [["--count", "0"], "--count"],
      [["--count", "1e3"], "--count"],
      [["--timeout", "10"], "--timeout"],
      [["--timeout", "0s"], "--timeout"],
      [["--idle", "-1s"], "--idle"],
      [["--jsn"], "--jsn"],
      [["--json=5"], "--json"],
      [["--count"], "--count"],
    ] as const
  ).map(([flags, name]): Case => [`sourcecast ${flags.join(" ")}`, name, () => readArguments([url, ...flags])]),
  ...["ftp://localhost/", "file:///etc/hosts", "http://:bad", "data:text/event-stream,x", ""].map(
    (address): Case => [`sourcecast ${address}`, "address", () => readArguments([address])],
  ),
];

test.each(cases)("%s", async (_, name, call) => {
  const before = requests;
  expect(call).toThrow(expect.objectContaining({ message: expect.stringContaining(name) }));
  // A connection would begin in a microtask.
  await new Promise((resolve) => setImmediate(resolve));
  expect(requests).toBe(before);
});

describe("Vue, whose composables begin with their scope", () => {
  test.each([
    ["channels", { channels: ["", 5] }],
    ["after", { after: 5 }],
    ["retry.max", { retry: { initial: "1h", max: "1s" } }],
  ])("names the option %s", (name, options) => {
    expectConsole(/Unhandled error during execution of watcher callback/);
    vi.stubGlobal("document", {});
    const scope = effectScope();
    const use = () => useEvent(useSubscription(url, options as never), "a", () => {});
    expect(() => scope.run(use)).toThrow(expect.objectContaining({ message: expect.stringContaining(name) }));
    scope.stop();
    vi.unstubAllGlobals();
  });
});

test("a binding begins after the position of its options, and continues at its own", async () => {
  const positions: (string | null)[] = [];
  const answer = (async (_, init) => {
    positions.push(new Headers(init?.headers).get("last-event-id"));
    return new Response("id: 8\ndata: x\n\n", { headers: { "content-type": "text/event-stream" } });
  }) as typeof fetch;
  const stream = createSubscription(url, { after: "7", fetch: answer });
  for (let mount = 0; mount < 2; mount++) {
    await new Promise<void>((resolve) => {
      const remove = stream.on("*", () =>
        queueMicrotask(() => {
          remove();
          resolve();
        }),
      );
    });
  }
  expect(positions).toEqual(["7", "8"]);
});
