import { type } from "arktype";
import * as v from "valibot";
import { afterEach, describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { resetWarnings } from "../../src/base/warn.ts";
import {
  createHub,
  EventSource,
  EventSourceSet,
  type Hub,
  ServerSentEvent,
  SourcecastError,
  SourcecastTypeError,
} from "../../src/index.ts";
import type { SourceOptions } from "../../src/source/options.ts";
import {
  defineEvents,
  type EventContract,
  EventContractError,
  type EventsOf,
  type OutputEventsOf,
  type StandardSchemaV1,
} from "../../src/wire/contract.ts";
import { expectConsole } from "../support/console.ts";
import { BodyReader, request } from "../support/web.ts";

const opened: EventSource<never>[] = [];
afterEach(resetWarnings);
afterEach(() => Promise.all(opened.splice(0).map((source) => source.close())));

/** Closes the source after the test and returns everything that its client received. */
function listen<S extends EventSource<never>>(source: S) {
  opened.push(source);
  const client = new BodyReader(source.response());
  return {
    source,
    heard: async () => {
      void source.close();
      return (await client.rest()).map(({ type, data }) => [type, data]);
    },
  };
}

function errorOf(action: () => unknown): EventContractError {
  try {
    action();
  } catch (error) {
    if (error instanceof EventContractError) return error;
    throw error;
  }
  throw new Error("Nothing was thrown");
}

/** The same contract three times. `price` takes a string and outputs a number. */
const contracts = {
  zod: defineEvents({
    headline: z.object({ title: z.string().min(1), tags: z.array(z.object({ name: z.string() })).optional() }),
    price: z.string().transform(Number).pipe(z.number()),
    message: z.string(),
  }),
  valibot: defineEvents({
    headline: v.object({
      title: v.pipe(v.string(), v.minLength(1)),
      tags: v.optional(v.array(v.object({ name: v.string() }))),
    }),
    price: v.pipe(v.string(), v.transform(Number), v.number()),
    message: v.string(),
  }),
  arktype: defineEvents({
    headline: type({ title: "string > 0", "tags?": type({ name: "string" }).array() }),
    price: type("string").pipe(Number).to("number"),
    message: type("string"),
  }),
};

describe.each(Object.entries(contracts))("a contract of %s", (_, contract) => {
  // All three infer the same types, so that one of them stands for each.
  const events = contract as typeof contracts.zod;

  test("knows its types, in order", () => {
    expect(events.types).toEqual(["headline", "price", "message"]);
  });

  test("lets through what fits, and gives what the schema makes of it", async () => {
    expect(await events.validate("headline", { title: "Rain" })).toEqual({ title: "Rain" });
    expect(events.validateSync("price", "12.5")).toBe(12.5);
  });

  test("writes what the schema makes of it, as JSON", async () => {
    // Its output is a number, and it takes a string.
    expectConsole(/"price" rejects its own output/);
    const { source, heard } = listen(new EventSource(request(), { events }));
    expect(source.dispatch("price", "12.50")).toBe(true);
    expect(source.dispatch("headline", { title: "Rain" })).toBe(true);
    expect(source.dispatchMessage("a string")).toBe(true);
    expect(await heard()).toEqual([
      ["price", "12.5"],
      ["headline", '{"title":"Rain"}'],
      ["message", '"a string"'],
    ]);
  });

  test("says what does not fit, where in the data, and carries the issues", () => {
    const data = { title: "", tags: [{ name: "a" }, { name: 3 }] };
    const error = errorOf(() => events.validateSync("headline", data));
    expect(error).toMatchObject({ code: "ERR_SSE_CONTRACT", name: "SourcecastTypeError" });
    expect(error.message).toMatch(
      /^The data of the event "headline" does not fit its schema: title: .+; tags\[1\]\.name: ./,
    );
    expect(error.issues).toHaveLength(2);
  });

  test("keeps what does not fit from the wire", async () => {
    const { source, heard } = listen(new EventSource(request(), { events }));
    // @ts-expect-error a price is given as text
    expect(errorOf(() => source.dispatch("price", 12)).issues).toHaveLength(1);
    // @ts-expect-error a title is missing
    expect(errorOf(() => source.dispatch("headline", {})).message).toContain("title");
    // @ts-expect-error a string is not a headline, although it could be written
    expect(errorOf(() => source.dispatch("headline", "Rain")).issues).toHaveLength(1);
    // @ts-expect-error a headline has data
    expect(errorOf(() => source.dispatch("headline")).issues).toHaveLength(1);
    // @ts-expect-error nothing but text
    expect(errorOf(() => source.dispatchMessage({ hello: "world" })).issues).toHaveLength(1);
    expect(await heard()).toEqual([]);
  });
});

const chat = defineEvents({
  said: z.object({ by: z.string(), text: z.string() }),
  seen: z.string().transform((text) => new Date(text)),
  typing: z.undefined(),
});
type Chat = EventsOf<typeof chat>;

/** Fits anything, later. */
const later: StandardSchemaV1<number, string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value) =>
      typeof value === "number" ? { value: value.toFixed(1) } : { issues: [{ message: "Not a number" }] },
  },
};

describe("invalid contracts are rejected", () => {
  test("a type that it does not know, with those that it knows", () => {
    const { source } = listen(new EventSource(request(), { events: chat }));
    // @ts-expect-error unknown
    const error = errorOf(() => source.dispatch("sad", { by: "eve", text: "" }));
    expect(error.message).toBe('The event type "sad" is not in the contract; it has "said", "seen", "typing"');
    expect(error).toMatchObject({ code: "ERR_SSE_CONTRACT", issues: [] });
    // @ts-expect-error there is no "message" in this contract
    expect(errorOf(() => source.dispatchMessage("hello")).message).toContain('"message" is not in the contract');
  });

  test.each(["constructor", "toString", "__proto__"])("the type %j, which every object inherits", (name) => {
    expect(errorOf(() => chat.validateSync(name as never, {})).message).toContain("not in the contract");
  });

  test("the names of control events", () => {
    const { source } = listen(new EventSource(request(), { events: chat }));
    const set = new EventSourceSet({ events: chat });
    for (const sender of [source, set, { dispatch: chat.validate }]) {
      expect(() => sender.dispatch("sse:gap" as never, {} as never)).toThrow(
        expect.objectContaining({ code: "ERR_SSE_TYPE" }),
      );
    }
  });

  test("the errors are of the family of this package", () => {
    const error = errorOf(() => chat.validateSync("said", null));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toBeInstanceOf(SourcecastError);
    expect(error).toBeInstanceOf(SourcecastTypeError);
  });

  test("paths are written as a program would, and long lists end", () => {
    const issue = (path: NonNullable<Parameters<typeof issuesOf>[0][number]["path"]>) => ({ message: "No", path });
    const message = errorOf(() =>
      issuesOf([issue(["a", 0, "b-c", { key: "d" }, Symbol("e")]), issue([]), { message: "Root" }]),
    ).message;
    expect(message).toMatch(/: a\[0\]\["b-c"\]\.d\[Symbol\(e\)\]: No; No; Root$/);
    const many = errorOf(() => issuesOf(Array.from({ length: 14 }, (_, index) => issue([index]))));
    expect(many.message).toMatch(/\[9\]: No; and 4 more$/);
    expect(many.issues).toHaveLength(14);
  });

  function issuesOf(issues: ConstructorParameters<typeof EventContractError>[1] & {}): unknown {
    const schema: StandardSchemaV1 = { "~standard": { version: 1, vendor: "test", validate: () => ({ issues }) } };
    return defineEvents({ any: schema }).validateSync("any", 1);
  }

  test.each([
    [null],
    [undefined],
    ["valid"],
    [{ issues: null }],
    [{ issues: [null] }],
    [{ issues: ["wrong"] }],
    [{ issues: "wrong" }],
  ])("a schema that returns %j is named, synchronous or not", async (result) => {
    const schema = (validate: () => unknown) => ({ "~standard": { version: 1, vendor: "test", validate } });
    const events = defineEvents({ now: schema(() => result), later: schema(async () => result) } as never);
    const rejected = (type: string) => ({
      code: "ERR_SSE_CONTRACT",
      message: expect.stringMatching(new RegExp(`^The schema of the event "${type}" .*; `)),
    });
    expect(() => events.validateSync("now" as never, 1)).toThrow(expect.objectContaining(rejected("now")));
    expect(() => events.validate("now" as never, 1)).toThrow(expect.objectContaining(rejected("now")));
    await expect(events.validate("later" as never, 1)).rejects.toMatchObject(rejected("later"));
  });

  test("an error that a schema throws is passed on", () => {
    const cause = new Error("A bug in the application");
    const events = defineEvents({
      broken: v.pipe(
        v.string(),
        v.transform(() => {
          throw cause;
        }),
      ),
    });
    expect(() => events.validateSync("broken", "x")).toThrow(cause);
  });
});

describe("asynchronous schemas", () => {
  const events = defineEvents({ measured: later, sure: z.string().refine(async (text) => text.length > 2) });

  test("validate() gives a promise for what fits", async () => {
    const result = events.validate("measured", 2);
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toBe("2.0");
    expect(await events.validate("sure", "yes")).toBe("yes");
  });

  test("and rejects with the issues for what does not", async () => {
    await expect(events.validate("measured", "2")).rejects.toMatchObject({
      code: "ERR_SSE_CONTRACT",
      issues: [{ message: "Not a number" }],
    });
    await expect(events.validate("sure", "no")).rejects.toThrow(EventContractError);
  });

  test.each([
    ["measured", {}],
    ["sure", "no"],
  ])("a source and a set say that they cannot wait for %s", async (name, data) => {
    const { source, heard } = listen(new EventSource(request(), { events }));
    const set = new EventSourceSet({ events });
    for (const sender of [source, set]) {
      // An invalid event must not become an unhandled rejection either: the guards of the tests watch for it.
      const error = errorOf(() => (sender as EventSource).dispatch(name, data));
      expect(error.message).toMatch(/is asynchronous.*channel of a hub/);
      expect(error.code).toBe("ERR_SSE_CONTRACT");
    }
    expect(await heard()).toEqual([]);
  });

  test("nor does a schema that fails later become an unhandled rejection", () => {
    const validate = async () => Promise.reject(new Error("The database is away"));
    const failing = defineEvents({ any: { "~standard": { version: 1, vendor: "test", validate } } });
    expect(() => new EventSourceSet({ events: failing }).dispatch("any", 1)).toThrow("asynchronous");
  });
});

describe("defineEvents", () => {
  test("refuses names that cannot be written or are reserved", () => {
    for (const name of ["sse:gap", "", "a\nb", "\ud800"]) {
      expect(() => defineEvents({ [name]: z.string() }), name).toThrow(
        expect.objectContaining({ code: "ERR_SSE_TYPE" }),
      );
    }
  });

  test.each([
    ["undefined", undefined],
    ["an object", { parse: () => 1 }],
    ["an older version", { "~standard": { version: 0, validate: () => ({ value: 1 }) } }],
    ["no function", { "~standard": { version: 1, validate: true } }],
  ])("refuses as a schema: %s", (_, schema) => {
    expect(() => defineEvents({ said: schema as never })).toThrow(
      expect.objectContaining({
        code: "ERR_SSE_OPTION",
        message: expect.stringMatching(/^The schema of the event "said"/),
      }),
    );
  });

  test.each([undefined, null, "said"])("refuses %j in place of schemas", (schemas) => {
    expect(() => defineEvents(schemas as never)).toThrow(expect.objectContaining({ code: "ERR_SSE_OPTION" }));
  });

  test("gives something frozen that later changes do not reach", () => {
    const schemas: Record<string, StandardSchemaV1> = { said: z.string() };
    const events = defineEvents(schemas);
    schemas.said = z.number();
    schemas.more = z.number();
    expect(Object.isFrozen(events) && Object.isFrozen(events.types)).toBe(true);
    expect(events.types).toEqual(["said"]);
    expect(events.validateSync("said", "x")).toBe("x");
  });

  test("asks a schema with its own object as `this`, as methods of classes need", () => {
    class Schema {
      readonly limit = 3;
      get "~standard"() {
        const { limit } = this;
        return {
          version: 1 as const,
          vendor: "test",
          validate(this: { vendor: string }, value: unknown) {
            return value === limit ? { value: this.vendor } : { issues: [{ message: "No" }] };
          },
        };
      }
    }
    expect(defineEvents({ three: new Schema() }).validateSync("three", 3)).toBe("test");
  });
});

describe("a source under a contract", () => {
  test("checks a ServerSentEvent before its local listeners are called, and writes the output of the schema", async () => {
    const { source, heard } = listen(new EventSource(request(), { events: chat }));
    const local: string[] = [];
    for (const name of ["said", "seen"]) source.addEventListener(name, (event) => local.push(event.type));
    expect(errorOf(() => source.dispatchEvent(new ServerSentEvent("said", { by: 1 }))).issues).toHaveLength(2);
    expect(() => source.dispatchEvent(new ServerSentEvent("sad", "x"))).toThrow(EventContractError);
    expect(local).toEqual([]);
    expect(source.dispatchEvent(new ServerSentEvent("seen", "2026-01-02", { id: 7 }))).toBe(true);
    expect(local).toEqual(["seen"]);
    expect(await heard()).toEqual([["seen", '"2026-01-02T00:00:00.000Z"']]);
  });

  test("renders what the schema makes of it", async () => {
    const events = defineEvents({ item: z.string().transform((name) => ({ name })) });
    const render = ({ name }: { name: string }) => `<li>${name}</li>`;
    const { source, heard } = listen(new EventSource(request(), { events, render }));
    source.dispatch("item", "tea");
    expect(await heard()).toEqual([["item", "<li>tea</li>"]]);
  });

  test("ends a pipe at the first piece that does not fit", async () => {
    const { source, heard } = listen(new EventSource(request(), { events: defineEvents({ n: z.number().max(2) }) }));
    const result = await source.pipe([1, 2, 3, 1], { type: "n" });
    expect(result).toMatchObject({ ended: "failed", events: 2, error: { code: "ERR_SSE_CONTRACT" } });
    expect(await heard()).toEqual([
      ["n", "1"],
      ["n", "2"],
    ]);
  });

  test("a closed source says false and asks no schema", () => {
    const { source } = listen(new EventSource(request(), { events: chat }));
    void source.close();
    expect(source.dispatch("said", {} as never)).toBe(false);
  });

  test.each([null, {}, { said: z.string() }])("refuses as its contract: %j", (events) => {
    for (const make of [
      () => new EventSource(request(), { events: events as never }),
      () => new EventSourceSet({ events: events as never }),
    ]) {
      expect(make).toThrow(
        expect.objectContaining({ code: "ERR_SSE_OPTION", message: expect.stringContaining("defineEvents()") }),
      );
    }
  });
});

describe("a set under a contract", () => {
  /** Records each time that it is asked, and makes an even number of it. */
  function counting() {
    const asked: unknown[] = [];
    const events = defineEvents({
      n: z.number().transform((n) => {
        asked.push(n);
        return n + (n % 2);
      }),
    });
    return { asked, events };
  }

  test("asks once for all its members, whether they have the same contract or none", async () => {
    const { asked, events } = counting();
    const set = new EventSourceSet({ events });
    const plain = listen(new EventSource(request()));
    const same = listen(new EventSource(request(), { events }));
    const rendering = listen(new EventSource(request(), (n: number) => `<b>${n}</b>`));
    set.add(plain.source).add(same.source).add(rendering.source);
    expect(set.dispatch("n", 3)).toBe(3);
    expect(set.dispatch("n", 5)).toBe(3);
    // The second time, the first event of the type was checked for its way back.
    expect(asked).toEqual([3, 4, 5]);
    for (const member of [plain, same]) {
      expect(await member.heard()).toEqual([
        ["n", "4"],
        ["n", "6"],
      ]);
    }
    expect(await rendering.heard()).toEqual([
      ["n", "<b>4</b>"],
      ["n", "<b>6</b>"],
    ]);
  });

  test("sends nothing when the data is invalid, and checks without members too", async () => {
    const set = new EventSourceSet<Chat>(null, { events: chat });
    // @ts-expect-error no text
    expect(errorOf(() => set.dispatch("said", { by: "eve" })).issues).toHaveLength(1);
    const member = listen(new EventSource<Chat>(request()));
    set.add(member.source);
    // @ts-expect-error no text
    expect(errorOf(() => set.dispatch("said", { by: "eve" })).issues).toHaveLength(1);
    // @ts-expect-error unknown
    expect(() => set.dispatch("sad", "x")).toThrow(EventContractError);
    // @ts-expect-error no message in this contract
    expect(() => set.dispatchMessage("x")).toThrow(EventContractError);
    expect(set.dispatch("typing")).toBe(1);
    expect(await member.heard()).toEqual([["typing", ""]]);
  });

  test("without one, it checks nothing, whatever the contracts of its members", async () => {
    const { events, asked } = counting();
    const members = [listen(new EventSource(request())), listen(new EventSource(request(), { events }))];
    const set = new EventSourceSet(members.map(({ source }) => source as EventSource));
    expect(set.dispatch("n", 11)).toBe(2);
    expect(set.dispatch("unknown", "text")).toBe(2);
    expect(asked).toEqual([]);
    for (const member of members)
      expect(await member.heard()).toEqual([
        ["n", "11"],
        ["unknown", "text"],
      ]);
  });

  test("takes members, options or both", () => {
    const source = listen(new EventSource(request(), { events: chat })).source;
    expect(new EventSourceSet([source]).size).toBe(1);
    expect(new EventSourceSet([source], { events: chat }).size).toBe(1);
    expect(new EventSourceSet(new Set([source])).size).toBe(1);
    expect(new EventSourceSet({ events: chat }).size).toBe(0);
    expect(new EventSourceSet().size).toBe(0);
  });
});

describe("a hub under a contract", () => {
  const events = defineEvents({ measured: later, seen: z.string().transform((text) => new Date(text)) });

  test("waits for the schema, and publishes what it makes of the data", async () => {
    await using hub = createHub({ events });
    expectTypeOf(hub).toEqualTypeOf<Hub<EventsOf<typeof events>>>();
    const client = new BodyReader(await hub.channel("a").response(request()));
    expect((await client.next()).type).toBe("sse:checkpoint");
    expectConsole(/"measured" rejects its own output/);
    await hub.channel("a").dispatch("measured", 2);
    await hub.channel("a").dispatch("seen", "2026-01-02");
    expect([await client.next(), await client.next()]).toMatchObject([
      { type: "measured", data: '"2.0"' },
      { type: "seen", data: '"2026-01-02T00:00:00.000Z"' },
    ]);
    await client.leave();
  });

  test("refuses before the log sees it, and all of several events with one", async () => {
    await using hub = createHub({ events });
    const channel = hub.channel("a");
    const before = await hub.cursor();
    const refused = { code: "ERR_SSE_CONTRACT", issues: [{ message: "Not a number" }] };
    // @ts-expect-error a number is measured
    await expect(channel.dispatch("measured", "2")).rejects.toMatchObject(refused);
    // @ts-expect-error unknown
    await expect(channel.dispatch("unknown", 1)).rejects.toThrow(EventContractError);
    await expect(
      channel.dispatchAll([
        { type: "measured", data: 1 },
        { type: "measured", data: "2" as never },
      ]),
    ).rejects.toMatchObject(refused);
    expect(await hub.cursor()).toBe(before);
  });
});

test("types: what is dispatched is the input, what is written the output", () => {
  expectTypeOf(chat).toExtend<EventContract<Chat>>();
  expectTypeOf<Chat>().toEqualTypeOf<{ said: { by: string; text: string }; seen: string; typing: undefined }>();
  expectTypeOf<OutputEventsOf<typeof chat>["seen"]>().toEqualTypeOf<Date>();
  expectTypeOf<EventsOf<typeof contracts.valibot>["price"]>().toEqualTypeOf<string>();
  expectTypeOf<OutputEventsOf<typeof contracts.arktype>["price"]>().toEqualTypeOf<number>();
  expectTypeOf(chat.types).toEqualTypeOf<readonly ("said" | "seen" | "typing")[]>();
  expectTypeOf(chat.validateSync("seen", "")).toEqualTypeOf<Date>();

  const { source } = listen(new EventSource(request(), { events: chat, keepAlive: "10s" }));
  expectTypeOf(source).toEqualTypeOf<EventSource<Chat>>();
  expectTypeOf(new EventSourceSet({ events: chat })).toEqualTypeOf<EventSourceSet<Chat>>();
  expectTypeOf(new EventSourceSet([source])).toEqualTypeOf<EventSourceSet<Chat>>();

  // Without a contract, options decide nothing about events.
  const common: SourceOptions = { keepAlive: "10s" };
  expectTypeOf(listen(new EventSource(request(), common)).source).toEqualTypeOf<EventSource>();
  expectTypeOf(listen(new EventSource<Chat>(request(), common)).source).toEqualTypeOf<EventSource<Chat>>();
  // @ts-expect-error another contract than the types
  expectTypeOf(listen(new EventSource<Chat>(request(), { events: contracts.zod })).source).toExtend<EventSource>();

  // Types of one's own, without a contract at run time: data may be left out only where it may be undefined.
  const own = listen(new EventSource<{ a: number; b: string | undefined; c?: string }>(request())).source;
  expect([own.dispatch("a", 1), own.dispatch("b"), own.dispatch("c"), own.dispatch("c", "x", { id: 1 })]).toEqual(
    Array(4).fill(true),
  );
  // @ts-expect-error a number is missing
  own.dispatch("a");
  // @ts-expect-error of another event
  own.dispatch("a", "x");

  // A pipe takes the names only, here and in its end.
  type PipeOptions = NonNullable<Parameters<typeof source.pipe>[1]>;
  expectTypeOf<PipeOptions["type"]>().toEqualTypeOf<"said" | "seen" | "typing" | undefined>();
});
