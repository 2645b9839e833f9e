import * as v from "valibot";
import { afterEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { z } from "zod";
import { resetWarnings } from "../../src/base/warn.ts";
import { createHub, EventSource, EventSourceSet, ServerSentEvent } from "../../src/index.ts";
import { checkContract } from "../../src/testing/check-contract.ts";
import {
  type ClientEventsOf,
  defineEvents,
  EventContractError,
  type JsonOf,
  type StandardSchemaV1,
  text,
} from "../../src/wire/contract.ts";
import { encodeEvent } from "../../src/wire/encode.ts";
import { expectConsole } from "../support/console.ts";
import { follow, openHub } from "../support/hub.ts";
import fc from "../support/properties.ts";
import { parse } from "../support/recorder.ts";
import { openWeb } from "../support/web.ts";

afterEach(resetWarnings);

/** A schema that lets everything through. */
const anything: StandardSchemaV1 = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } };

const events = defineEvents({ any: anything, html: text, note: z.string(), typing: z.undefined() });

describe("data under a contract", () => {
  test("decode() is the inverse of encode(), over the wire: the value as JSON knows it", { timeout: 30_000 }, () => {
    const values = fc.oneof(
      fc.jsonValue(),
      fc.string({ unit: "binary" }),
      fc.anything({ withDate: true, withNullPrototype: true, maxDepth: 1, maxKeys: 4 }),
    );
    fc.assert(
      fc.property(values, (value) => {
        if (value === undefined || JSON.stringify(value) === undefined) return;
        const wire = encodeEvent({ type: "any", data: events.encode("any", value) });
        // As JSON text, since comparing values deeply would take longer than the rest.
        const decoded = events.decode("any", parse(wire).events[0]?.data as string);
        expect(JSON.stringify(decoded)).toBe(JSON.stringify(JSON.parse(JSON.stringify(value))));
      }),
      { numRuns: 400 },
    );
  });

  test.each(["12", "true", "null", '"quoted"', "", "{}", "a\r\nb\rc", "\ud800", " x ", "\u2028"])(
    "the string %j is read back as that string",
    (value) => {
      const wire = encodeEvent({ data: events.encode("note", value) });
      expect(events.decode("note", parse(wire).events[0]?.data as string)).toBe(value);
    },
  );

  test("undefined is empty data, and nothing else is", () => {
    expect(events.encode("typing", undefined)).toBe("");
    expect(events.decode("typing", "")).toBeUndefined();
    expect(events.encode("note", "")).toBe('""');
  });

  test("text is sent as it is, line by line, and read back with its lines", () => {
    expect(events.encode("html", '<p>"12"</p>')).toBe('<p>"12"</p>');
    expect(events.decode("html", "12")).toBe("12");
    expect(() => events.validateSync("html", 12)).toThrow(/Expected a string, received number/);
  });

  test("data that was not sent under the contract, and types that it does not have, are errors that say so", () => {
    expect(() => events.decode("note", "no JSON")).toThrow(
      expect.objectContaining({ code: "ERR_SSE_DATA", message: expect.stringMatching(/"no JSON" is not JSON/) }),
    );
    expect(() => events.decode("none" as never, "1")).toThrow(EventContractError);
    expect(() => events.encode("none" as never, 1 as never)).toThrow(EventContractError);
    expect(() => events.encode("any", 1n)).toThrow(expect.objectContaining({ code: "ERR_SSE_DATA" }));
  });

  /** The output of each of these senders for these two events. */
  const sent = [
    ["note", '"12"'],
    ["html", "12"],
  ];
  const seen = (list: readonly { type: string; data: string }[]) =>
    list.filter(({ type }) => !type.startsWith("sse:")).map(({ type, data }) => [type, data]);

  test("a source, a set and a hub write the same", async () => {
    const { source, client } = openWeb();
    const own = new EventSource(new Request("http://localhost"), { events });
    const set = new EventSourceSet([source as EventSource<never>], { events: events as never });
    for (const type of ["note", "html"] as const) {
      own.dispatch(type, "12");
      (set as EventSourceSet).dispatch(type, "12");
    }
    void own.close();
    void source.close();
    expect(seen(await client.rest())).toEqual(sent);
    expect(seen(parse(await own.response().text()).events)).toEqual(sent);

    const { hub } = openHub({ events: events as never });
    const reader = await follow(hub, "a");
    for (const type of ["note", "html"]) await hub.channel("a").dispatch(type, "12");
    await reader.until(() => seen(reader.events).length === 2);
    expect(seen(reader.events)).toEqual(sent);
  });

  test("a snapshot is bound by the contract of its hub", async () => {
    const snapshot = () => ({ events: [{ type: "note", data: "12" }] });
    const { hub } = openHub({ events: events as never, snapshot });
    const client = await follow(hub, "a", { lastEventId: "other.1.1" });
    await client.until(() => client.types.includes("sse:checkpoint"));
    expect(seen(client.events)).toEqual([["note", '"12"']]);
  });

  test("and one that does not fit ends the stream", async () => {
    const { hub, errors } = openHub({
      events: events as never,
      snapshot: () => ({ events: [{ type: "note", data: 12 }] }),
    });
    const client = await (await follow(hub, "a", { lastEventId: "other.1.1" })).end();
    expect(seen(client.events)).toEqual([]);
    expect(errors.splice(0)).toEqual([["snapshot", expect.stringContaining('"note" does not fit')]]);
  });

  test("a source that renders sends text: what it renders, and strings as they are", async () => {
    const items = defineEvents({ item: z.union([z.string(), z.object({ name: z.string() })]) });
    const render = (item: { name: string }) => `<li>${item.name}</li>`;
    const source = new EventSource(new Request("http://localhost"), { events: items, render });
    const plain = new EventSource<{ item: string | { name: string } }>(new Request("http://localhost"));
    const rendering = new EventSource<{ item: string | { name: string } }>(new Request("http://localhost"), { render });
    const set = new EventSourceSet([plain, rendering], { events: items });
    for (const item of ["<hr>", { name: "tea" }]) {
      source.dispatch("item", item);
      set.dispatch("item", item);
    }
    for (const each of [source, plain, rendering]) void each.close();
    const dataOf = async (from: EventSource<never>) =>
      parse(await from.response().text()).events.map(({ data }) => data);
    expect(await dataOf(source)).toEqual(["<hr>", "<li>tea</li>"]);
    expect(await dataOf(rendering)).toEqual(["<hr>", "<li>tea</li>"]);
    expect(await dataOf(plain)).toEqual(['"<hr>"', '{"name":"tea"}']);
  });

  test("the replacer of a ServerSentEvent counts under a contract too", async () => {
    const { source, client } = openWeb({ events } as never);
    const init = { replacer: ["name"], space: 1 };
    source.dispatchEvent(new ServerSentEvent("any", { name: "ann", secret: 1 }, init));
    void source.close();
    expect(seen(await client.rest())).toEqual([["any", '{\n "name": "ann"\n}']]);
  });

  test("a pipe ends with an event without data", async () => {
    const piped = defineEvents({ token: text, done: z.undefined() });
    const source = new EventSource(new Request("http://localhost"), { events: piped });
    const { body } = source.response();
    const result = source.pipe(["a", '"b"'], { type: "token", end: "done" });
    expect(await result).toMatchObject({ ended: "done" });
    void source.close();
    expect(seen(parse(await new Response(body).text()).events)).toEqual([
      ["token", "a"],
      ["token", '"b"'],
      ["done", ""],
    ]);
  });
});

describe("a schema that does not accept its own output after JSON", () => {
  const open = (events: unknown) => openWeb({ events } as never).source as EventSource;

  test("is warned of at the first event of its type, once, with the remedy", () => {
    const lines = expectConsole(/"at" rejects its own output.*received string.*in place of a Date.*checkContract/);
    const source = open(defineEvents({ at: z.date() }));
    expect(source.dispatch("at", new Date(0))).toBe(true);
    expect(source.dispatch("at", new Date(1))).toBe(true);
    expect(lines).toHaveLength(1);
  });

  test("nor returns an equal value, is warned of too", () => {
    expectConsole(/"n" changes its own output: "2" becomes "4"/);
    open(defineEvents({ n: z.number().transform((n) => n * 2) })).dispatch("n", 1);
  });

  test("is warned of on a hub, where it may be asynchronous", async () => {
    const lines = expectConsole(/"at" rejects/);
    await using hub = createHub({ events: defineEvents({ at: z.date().refine(async () => true) }) });
    await hub.channel("a").dispatch("at", new Date(0));
    await vi.waitFor(() => expect(lines).toHaveLength(1));
  });

  test("may throw, which is its problem and not that of the sender", () => {
    const shout = z.unknown().transform((value) => ({ text: (value as string).toUpperCase() }));
    expectConsole(/"shout" rejects its own output.*toUpperCase/);
    expect(open(defineEvents({ shout })).dispatch("shout", "a")).toBe(true);
  });

  test.each([
    ["dates that it takes as strings", z.coerce.date(), new Date(0)],
    ["dates as strings", z.iso.datetime(), "2026-01-02T00:00:00Z"],
    ["defaults", z.object({ a: z.number().default(1) }), {}],
    ["optional properties", z.object({ a: z.number().optional() }), { a: undefined }],
    ["no data", z.undefined(), undefined],
    ["text", text, "12"],
    ["valibot", v.object({ a: v.number() }), { a: 1 }],
  ])("no warning for %s", (_, schema, data) => {
    expect(open(defineEvents({ t: schema as StandardSchemaV1 })).dispatch("t", data)).toBe(true);
  });

  test("asks the schema twice for the first event of a type, and once for the others", () => {
    let asked = 0;
    const counted = z.number().refine(() => ++asked > 0);
    const source = open(defineEvents({ a: counted, b: counted }));
    for (const type of ["a", "a", "b", "a"]) source.dispatch(type, 1);
    expect(asked).toBe(6);
  });
});

describe("checkContract", () => {
  const contract = defineEvents({
    n: z.number(),
    at: z.date(),
    double: z.number().transform((n) => n * 2),
    html: text,
  });
  const samples = { n: 1, at: new Date(0), double: [0, 1], html: ["", "x"] };

  test("names every type that fails, with the reason", async () => {
    const error = await checkContract(contract, samples).catch((error) => error);
    expect(error).toMatchObject({ code: "ERR_SSE_CONTRACT" });
    expect(error.message.split("\n")).toEqual([
      expect.stringMatching(/"at" rejects its own output after JSON/),
      expect.stringMatching(/"double" changes its own output: "2" becomes "4"/),
    ]);
  });

  test("counts as what both ends can use, with asynchronous schemas too", async () => {
    const good = defineEvents({
      n: z.number().refine(async () => true),
      list: z.array(z.number()),
      when: z.coerce.date(),
      typing: z.undefined(),
    });
    await checkContract(good, { n: [1, 2], list: [[1, 2], []], when: new Date(0), typing: undefined });
  });

  test("a sample that its schema rejects is a failure", async () => {
    await expect(checkContract(defineEvents({ n: z.number() }), { n: ["1" as never] })).rejects.toThrow(
      /"n" does not fit its schema/,
    );
  });

  test("each type needs a sample", async () => {
    // @ts-expect-error no sample for b
    const one = checkContract(defineEvents({ a: z.number(), b: z.number() }), { a: 1 });
    await expect(one).rejects.toMatchObject({ code: "ERR_SSE_OPTION", message: expect.stringContaining('"b"') });
    await expect(checkContract(defineEvents({ a: z.number() }), { a: [] })).rejects.toThrow(/at least one/);
  });
});

test("types: a client has the output of the schemas after JSON", () => {
  const contract = defineEvents({
    seen: z.string().transform((text) => new Date(text)),
    html: text,
    order: z.object({ at: z.date(), note: z.string().optional(), tags: z.array(z.date()), by: z.literal("ann") }),
    typing: z.undefined(),
  });
  expectTypeOf<ClientEventsOf<typeof contract>>().toEqualTypeOf<{
    seen: string;
    html: string;
    order: { at: string; tags: string[]; by: "ann"; note?: string };
    typing: undefined;
  }>();
  expectTypeOf(contract.decode("seen", '""')).toEqualTypeOf<string>();
  expectTypeOf(contract.encode).parameter(0).toEqualTypeOf<"seen" | "html" | "order" | "typing">();

  expectTypeOf<JsonOf<string | number | null | boolean>>().toEqualTypeOf<string | number | null | boolean>();
  expectTypeOf<JsonOf<Date | undefined>>().toEqualTypeOf<string | undefined>();
  expectTypeOf<JsonOf<Map<string, number>>>().toEqualTypeOf<never>();
  expectTypeOf<JsonOf<Promise<string>>>().toEqualTypeOf<never>();
  expectTypeOf<JsonOf<bigint>>().toEqualTypeOf<never>();
  expectTypeOf<JsonOf<unknown>>().toEqualTypeOf<unknown>();
  // biome-ignore lint/suspicious/noExplicitAny: any stays any
  expectTypeOf<JsonOf<any>>().toEqualTypeOf<any>();
  expectTypeOf<JsonOf<[Date, undefined, () => void]>>().toEqualTypeOf<[string, null, null]>();
  expectTypeOf<JsonOf<readonly (Date | undefined)[]>>().toEqualTypeOf<(string | null)[]>();
  expectTypeOf<JsonOf<{ a: Date | undefined; f(): void; [Symbol.iterator]: number }>>().toEqualTypeOf<{ a?: string }>();
  expectTypeOf<JsonOf<{ deep: { readonly at: Date }[]; any: unknown }>>().toEqualTypeOf<{
    deep: { at: string }[];
    any: unknown;
  }>();
  expectTypeOf<JsonOf<Record<string, Date>>>().toEqualTypeOf<{ [x: string]: string }>();
  expectTypeOf<JsonOf<{ toJSON(): { at: Date } }>>().toEqualTypeOf<{ at: string }>();
  expectTypeOf<JsonOf<string & { readonly brand: "id" }>>().toEqualTypeOf<string & { readonly brand: "id" }>();
});
