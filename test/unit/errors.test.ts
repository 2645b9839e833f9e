import { describe, expect, test } from "vitest";
import { quote } from "../../src/base/errors.ts";
import { EventSource, EventSourceSet, SourcecastError, SourcecastTypeError } from "../../src/index.ts";
import { encodeComment, encodeEvent, errorCodes } from "../../src/wire/index.ts";
import { request } from "../support/web.ts";

/** The module loaded once more, as a second copy of the package in node_modules is. */
const otherCopy: typeof import("../../src/base/errors.ts") = await import("../../src/base/errors.ts?copy" as string);

const open = (options?: unknown) => new EventSource(request(), options as never);

/** One way to each code, through the public surface. */
const ways: Record<string, () => unknown> = {
  ERR_SSE_TYPE: () => encodeEvent({ type: "a\nb" }),
  ERR_SSE_DATA: () => encodeEvent({ data: "\uD83D" }),
  ERR_SSE_ID: () => encodeEvent({ id: "a b" }),
  ERR_SSE_RETRY: () => encodeEvent({ retry: -1 }),
  ERR_SSE_COMMENT: () => encodeComment("\uD83D"),
  ERR_SSE_OPTION: () => open({ keepAlive: "soon" }),
  ERR_SSE_ARGUMENT: () => new EventSource({} as never),
  ERR_SSE_RENDER: async () => {
    const source = open(() => 5);
    await using _ = source;
    source.dispatch("t", {});
  },
  ERR_SSE_RESPONSE_USED: async () => {
    await using source = open();
    source.response();
    source.response();
  },
  ERR_SSE_PIPE: async () => {
    await using source = open();
    await source.pipe(5 as never);
  },
};

/** Those that hubs and logs throw have their ways in the tests of hubs and logs. */
const codesOfHubs = [
  "ERR_SSE_CHANNEL",
  "ERR_SSE_CLOSED",
  "ERR_SSE_CONFLICT",
  "ERR_SSE_CONTRACT",
  "ERR_SSE_CURSOR",
  "ERR_SSE_LIMIT",
  "ERR_SSE_LOG",
  "ERR_SSE_STREAM",
  "ERR_SSE_TIMEOUT",
];

test("every code is reachable, and there is no other", () => {
  expect([...Object.keys(ways), ...codesOfHubs].sort()).toEqual(Object.keys(errorCodes).sort());
});

test.each(Object.entries(ways))(
  "%s is thrown with a message of one line that begins with a capital",
  async (code, act) => {
    const error = await (async () => act())().then(
      () => undefined,
      (thrown: unknown) => thrown as SourcecastError,
    );
    expect(error).toMatchObject({ code });
    expect(error).toBeInstanceOf(SourcecastError);
    expect(error?.message).toMatch(/^[A-Z].*[^.]$/);
    expect(error?.name).toMatch(/^Sourcecast(Type)?Error$/);
  },
);

describe("across two copies of the package", () => {
  test("instanceof holds in both directions, for the family and its type errors", () => {
    expect(otherCopy.SourcecastError).not.toBe(SourcecastError);
    const ours = [new SourcecastError("ERR_SSE_DATA", "m"), new SourcecastTypeError("ERR_SSE_DATA", "m")];
    const theirs = [
      new otherCopy.SourcecastError("ERR_SSE_DATA", "m"),
      new otherCopy.SourcecastTypeError("ERR_SSE_DATA", "m"),
    ];
    for (const error of [...ours, ...theirs]) {
      expect(error instanceof SourcecastError).toBe(true);
      expect(error instanceof otherCopy.SourcecastError).toBe(true);
    }
    for (const [plain, typed] of [ours, theirs]) {
      for (const SomeTypeError of [SourcecastTypeError, otherCopy.SourcecastTypeError]) {
        expect(typed instanceof SomeTypeError).toBe(true);
        expect(plain instanceof SomeTypeError).toBe(false);
      }
      expect(typed instanceof TypeError).toBe(true);
      expect(plain instanceof TypeError).toBe(false);
    }
  });

  test.each([undefined, null, 5, "e", {}, new Error("e"), new TypeError("e")])("nothing else passes: %s", (value) => {
    expect((value as unknown) instanceof SourcecastError).toBe(false);
    expect((value as unknown) instanceof SourcecastTypeError).toBe(false);
  });

  test("subclasses are told apart as usual", () => {
    class Mine extends SourcecastError {}
    expect(new Mine("ERR_SSE_DATA", "m") instanceof SourcecastError).toBe(true);
    expect(new SourcecastError("ERR_SSE_DATA", "m") instanceof Mine).toBe(false);
  });
});

describe("a message quotes what was found, short and on one line:", () => {
  const add = (value: unknown) => () => new EventSourceSet().add(value as never);
  test.each<[unknown, string]>([
    ["a\nb\0", '"a\\nb\\u0000"'],
    ["\u001b[31m", '"\\u001b[31m"'],
    [null, "null"],
    [undefined, "undefined"],
    [5n, "5"],
    [[1], "an array"],
    [{}, "an object"],
    [Object.create(null), "an object"],
    [new Map(), "an instance of Map"],
    [Symbol("s"), "Symbol(s)"],
  ])("%s", (value, quoted) => {
    expect(add(value)).toThrow(quoted);
  });

  test.each([
    ["x".repeat(300), 300],
    ['"\n'.repeat(100), 200],
    [10n ** 100n, 101],
  ])("a long value with its own length", (value, length) => {
    expect(quote(value)).toMatch(new RegExp(` \\(${length} characters\\)$`));
  });

  const longFunction = () => {
    return "several lines";
  };
  test.each([
    ["a long string", "x".repeat(1_000_000)],
    ["a function", longFunction],
    ["a long number", 10n ** 5_000n],
  ])("%s", (_, value) => {
    expect(add(value)).toThrow(/^.{1,250}$/);
  });
});
