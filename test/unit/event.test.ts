import { describe, expect, test } from "vitest";
import { EventSource, ServerSentEvent, SourcecastError } from "../../src/index.ts";
import { parse } from "../support/recorder.ts";
import { openWeb, request } from "../support/web.ts";

/** The error that is thrown at once, by the event and by dispatch alike. */
function refusalOf(data: unknown): SourcecastError {
  const source = new EventSource(request());
  const errors = [() => new ServerSentEvent("t", data), () => source.dispatch("t", data)].map((act) => {
    try {
      act();
    } catch (error) {
      return error as SourcecastError;
    }
    throw new Error("Nothing was thrown");
  });
  source.close();
  expect(errors[0]).toBeInstanceOf(SourcecastError);
  expect(errors[0]).toBeInstanceOf(TypeError);
  expect(errors[1]?.message).toBe(errors[0]?.message);
  return errors[0] as SourcecastError;
}

test("an event is an Event with its data serialized when it is made", () => {
  const data = { count: 1 };
  const event = new ServerSentEvent("tick", data, { id: 7, retry: 1_000 });
  data.count = 2;
  expect(event).toBeInstanceOf(Event);
  expect(event).toMatchObject({ type: "tick", data: '{"count":1}', id: "7", retry: 1_000, cancelable: false });
  expect(String(event)).toBe('event: tick\nid: 7\nretry: 1000\ndata: {"count":1}\n\n');
});

test("without options an event has neither id nor retry, and its data may be left out", () => {
  const event = new ServerSentEvent("tick");
  expect(event).toMatchObject({ data: "", id: undefined, retry: undefined });
  expect(String(event)).toBe("event: tick\ndata: \n\n");
});

test("replacer and space are those of JSON.stringify", () => {
  const data = { b: 1, a: [1n] };
  const replacer = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
  expect(new ServerSentEvent("t", data, { replacer, space: 2 }).data).toBe(JSON.stringify(data, replacer, 2));
  expect(new ServerSentEvent("t", { a: 1, b: 2 }, { replacer: ["b"] }).data).toBe('{"b":2}');
  expect(parse(String(new ServerSentEvent("t", data, { replacer, space: "\t" }))).events[0]?.data).toBe(
    JSON.stringify(data, replacer, "\t"),
  );
});

test.each([
  ["text", "text"],
  ["", ""],
  [undefined, ""],
  [null, "null"],
  [0, "0"],
  [false, "false"],
  [Number.NaN, "null"],
  [[1, "a"], '[1,"a"]'],
  [{ a: "\n" }, '{"a":"\\n"}'],
  [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  [new String("boxed"), '"boxed"'],
])("the data %j is %j on the wire", (data, text) => {
  expect(new ServerSentEvent("t", data).data).toBe(text);
});

describe("data that cannot be serialized is an error at once that names the cause:", () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const failing = {
    toJSON() {
      throw new RangeError("no JSON today\nnor tomorrow");
    },
  };
  test.each<[string, unknown, RegExp]>([
    ["a cycle", cycle, /circular|cyclic/i],
    ["a bigint", 5n, /BigInt/i],
    ["a nested bigint", { a: [5n] }, /BigInt/i],
    ["a function", () => 1, /function/],
    ["a symbol", Symbol("s"), /symbol/i],
    ["a promise", Promise.resolve(1), /promise.*await/],
    ["a toJSON that throws", failing, /no JSON today/],
    ["a toJSON that gives nothing", { toJSON: () => undefined }, /JSON/],
  ])("%s", (_, data, cause) => {
    const error = refusalOf(data);
    expect(error.code).toBe("ERR_SSE_DATA");
    expect(error.message).toMatch(cause);
    expect(error.message).toMatch(/^[A-Z].*[^.]$/);
    expect(error.message).not.toContain("is a object");
  });

  test("the error of the serializer is the cause", () => {
    expect(refusalOf(failing).cause).toBeInstanceOf(RangeError);
  });
});

test("id 0 and the empty id reach the client, the number as a string", () => {
  expect(new ServerSentEvent("t", "", { id: 0 }).id).toBe("0");
  expect(new ServerSentEvent("t", "", { id: "" }).id).toBe("");
  expect(parse(String(new ServerSentEvent("t", "", { id: 0 }))).lastEventId).toBe("0");
});

test.each([{ id: "a b" }, { retry: 0 }, { retry: -1 }])("bad options are refused when it is made: %j", (init) => {
  expect(() => new ServerSentEvent("t", "", init)).toThrow(SourcecastError);
});

test("types that begin with sse: are refused to applications on every way", async () => {
  const { source, client } = openWeb();
  const reserved = expect.objectContaining({ code: "ERR_SSE_TYPE", message: expect.stringContaining('"sse:gap"') });
  expect(() => source.dispatch("sse:gap", {})).toThrow(reserved);
  expect(() => source.dispatchEvent(new ServerSentEvent("sse:gap", {}))).toThrow(reserved);
  expect(await source.pipe(["a"], { type: "sse:gap" })).toEqual({ ended: "failed", events: 0, error: reserved });
  await source.close();
  expect(await client.rest()).toEqual([]);
});
