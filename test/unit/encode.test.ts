import { describe, expect, test } from "vitest";
import { encodeControl, encodeLater } from "../../src/wire/control.ts";
import { encodeComment, encodeEvent, encodeRetry } from "../../src/wire/encode.ts";
import { encodePreamble } from "../../src/wire/preamble.ts";
import { parse } from "../support/recorder.ts";

const codeOf = (make: () => unknown): unknown => {
  try {
    make();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return "nothing was thrown";
};

test("an event is its fields in a fixed order and a blank line", () => {
  expect(encodeEvent({ type: "tick", id: 7, retry: 1000, data: "a\nb" })).toBe(
    "event: tick\nid: 7\nretry: 1000\ndata: a\ndata: b\n\n",
  );
});

test("rule 3: lines end at LF, one blank line ends an event", () => {
  const text = encodeEvent({ type: "t", data: "a\r\nb\rc\n" }) + encodeComment("x\r\ny") + encodeEvent({ data: "d" });
  expect(text).not.toContain("\r");
  expect(text).not.toContain("\n\n\n");
  expect(text.endsWith("\n\n")).toBe(true);
});

describe("rule 4:", () => {
  test.each([
    ["a\nb", "data: a\ndata: b\n\n"],
    ["a\rb", "data: a\ndata: b\n\n"],
    ["a\r\nb", "data: a\ndata: b\n\n"],
    ["a\n\rb", "data: a\ndata: \ndata: b\n\n"],
    ["\n", "data: \ndata: \n\n"],
    ["a\u2028b\u0085c\vd\fe", "data: a\u2028b\u0085c\vd\fe\n\n"],
  ])("data %j is split at CRLF, CR and LF and at nothing else", (data, text) => {
    expect(encodeEvent({ data })).toBe(text);
  });

  test("comments are split the same way", () => {
    expect(encodeComment("a\r\nb\rdata: c\n")).toBe(": a\n: b\n: data: c\n: \n");
  });

  test.each(["\n", "\r", "\r\n", "\0"])("an id with %j is refused", (character) => {
    expect(codeOf(() => encodeEvent({ id: `a${character}data: b`, data: "" }))).toBe("ERR_SSE_ID");
  });

  test.each(["\n", "\r", "\r\n"])("a type with %j is refused", (character) => {
    expect(codeOf(() => encodeEvent({ type: `a${character}data: b`, data: "" }))).toBe("ERR_SSE_TYPE");
  });

  test("a refusal quotes what was found, on one line, and says what is allowed", () => {
    expect(() => encodeEvent({ type: "a\nb" })).toThrow(/"a\\nb".*remove CR and LF/);
    expect(() => encodeEvent({ id: "a\0b" })).toThrow(/"a\\u0000b".*at most 128/);
    expect(() => encodeEvent({ id: "x".repeat(100_000) })).toThrow(/^.{1,250}$/);
  });
});

test("rule 5: the space is always there and empty data has its line", () => {
  expect(encodeEvent({ data: "" })).toBe("data: \n\n");
  expect(encodeEvent({ data: " a" })).toBe("data:  a\n\n");
  expect(parse(encodeEvent({ data: "  a\n b" })).events[0]?.data).toBe("  a\n b");
});

test("rule 6: a byte order mark in data or type is content, never the first bytes", () => {
  const text = encodeEvent({ type: "\uFEFFt", data: "\uFEFFd" });
  expect(text.startsWith("\uFEFF")).toBe(false);
  expect(parse(text).events[0]).toMatchObject({ type: "\uFEFFt", data: "\uFEFFd" });
});

describe("rule 8:", () => {
  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60, "100", null, true])(
    "retry %j is refused",
    (retry) => expect(codeOf(() => encodeEvent({ retry: retry as number }))).toBe("ERR_SSE_RETRY"),
  );

  test.each([0, -0])("retry %s, with which browsers would not pause at all, is refused", (retry) => {
    expect(() => encodeEvent({ retry })).toThrow(/one or more/);
    expect(() => encodeRetry(retry)).toThrow(/one or more/);
  });

  test("falsy values and long times are not lost", () => {
    expect(encodeEvent({ id: 0, data: "" })).toBe("id: 0\ndata: \n\n");
    expect(encodeEvent({ id: "", data: "" })).toBe("id: \ndata: \n\n");
    expect(encodeEvent({ id: "0", data: "0" })).toBe("id: 0\ndata: 0\n\n");
    expect(encodeEvent({ retry: 31_536_000_000 })).toBe("retry: 31536000000\ndata: \n\n");
    expect(encodeRetry(1)).toBe("retry: 1\n");
    expect(parse(encodeEvent({ retry: Number.MAX_SAFE_INTEGER })).retry).toBe(Number.MAX_SAFE_INTEGER);
  });
});

test("rule 9: a control event has a name and a data line, so that every browser takes its id", () => {
  const parser = parse(encodeControl("sse:checkpoint", {}, "e-9"));
  expect(parser.events).toEqual([{ type: "sse:checkpoint", data: "{}", lastEventId: "e-9" }]);
});

test("rule 9: no block is without data, and no blank line follows comments and retries", () => {
  for (const fields of [{}, { id: "7" }, { retry: 9 }, { type: "t", id: 7, retry: 9 }, { data: "" }]) {
    expect(parse(encodeEvent(fields)).events, JSON.stringify(fields)).toHaveLength(1);
  }
  for (const lines of [encodeComment("a\nb"), encodeComment(""), encodeRetry(7), encodePreamble(7, 9)]) {
    expect(lines).toMatch(/^(.+\n)+$/);
  }
});

test("rule 25: sse:later carries the time to wait in its data and in its retry", () => {
  expect(encodeLater("draining", 7_000)).toBe(
    'event: sse:later\nretry: 7000\ndata: {"reason":"draining","retryAfter":7000}\n\n',
  );
});

test("rule 10: an event without an id has no id field and inherits the last one", () => {
  const text = encodeEvent({ id: "a-1", data: "1" }) + encodeEvent({ data: "2" });
  expect(text.match(/^id/gm)).toHaveLength(1);
  expect(parse(text).events.map((event) => event.lastEventId)).toEqual(["a-1", "a-1"]);
});

describe("rule 11:", () => {
  test("128 of the unreserved characters pass", () => {
    const id = "azAZ09-_.~".padEnd(128, "x");
    expect(parse(encodeEvent({ id, data: "" })).lastEventId).toBe(id);
  });

  test.each(["x".repeat(129), "a b", "a,b", "é", "a/b", "a:b", '"', "%20", " ", "\u{1F600}"])(
    "the id %j is refused",
    (id) => {
      expect(codeOf(() => encodeEvent({ id, data: "" }))).toBe("ERR_SSE_ID");
    },
  );

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 1e21, null, true, {}, 5n])("the id %s is refused", (id) => {
    expect(codeOf(() => encodeEvent({ id: id as number, data: "" }))).toBe("ERR_SSE_ID");
  });
});

test.each(["", 5, null, {}, Symbol("s")])("a type that is not a name is refused: %s", (type) => {
  expect(codeOf(() => encodeEvent({ type: type as string, data: "" }))).toBe("ERR_SSE_TYPE");
});

test("half a surrogate pair, which UTF-8 cannot carry, is refused everywhere", () => {
  expect(codeOf(() => encodeEvent({ type: "\uD83D" }))).toBe("ERR_SSE_TYPE");
  expect(codeOf(() => encodeEvent({ data: "a\uDE00" }))).toBe("ERR_SSE_DATA");
  expect(codeOf(() => encodeComment("\uD83D"))).toBe("ERR_SSE_COMMENT");
});

test("the type message, which clients assume, is left out", () => {
  expect(encodeEvent({ type: "message", data: "a" })).toBe("data: a\n\n");
});
