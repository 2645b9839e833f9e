import { describe, expect, test } from "vitest";
import { SourcecastError } from "../../src/base/errors.ts";
import { assertNotReserved, type EventFields, encodeEvent } from "../../src/wire/encode.ts";
import fc from "../support/properties.ts";
import { parse } from "../support/recorder.ts";

// Each field alone: for any value whatever, it is refused exactly if the rule says so, and read back as it was otherwise.

/** Text with the characters that a rule is about. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom("\r", "\n", "\0", ":", " ", "\uFEFF", "\u2028", "\uD83D", "\uDE00", "a", "é", "7"),
  }),
);
/** Values other than text. */
const others = fc.anything({ withBigInt: true, withDate: true, maxDepth: 0 }).filter((value) => value !== undefined);

/** The code of the refusal, or what a client reads. */
function sent(fields: object): { code: string } | { client: ReturnType<typeof parse> } {
  try {
    return { client: parse(encodeEvent(fields as EventFields)) };
  } catch (error) {
    if (error instanceof SourcecastError) return { code: error.code };
    throw error;
  }
}

/** Checks that a field is refused with `code` where `isAllowed` says no, and otherwise read back as `read` says. */
function check<T>(
  values: fc.Arbitrary<T>,
  name: keyof EventFields,
  code: string,
  isAllowed: (value: T) => boolean,
  read: (client: ReturnType<typeof parse>) => unknown,
  expected: (value: T) => unknown = (value) => value,
): void {
  fc.assert(
    fc.property(values, (value) => {
      const result = sent({ data: "d", [name]: value });
      if (!isAllowed(value)) {
        expect(result).toEqual({ code });
        return;
      }
      if (!("client" in result)) throw new Error(`Refused with ${result.code}`);
      expect([result.client.events.length, result.client.complete]).toEqual([1, true]);
      expect(read(result.client)).toEqual(expected(value));
    }),
    { numRuns: 1_000 },
  );
}

const isText = (value: unknown): value is string => typeof value === "string" && value.isWellFormed();

describe("any value of a field is refused by the rule, or read back:", () => {
  test("rule 4: type", () => {
    const isAllowed = (type: unknown) => isText(type) && type !== "" && !/[\r\n]/.test(type);
    check(fc.oneof(text, others), "type", "ERR_SSE_TYPE", isAllowed, ({ events }) => events[0]?.type);
  });

  test("rule 4: data", () => {
    const lines = (data: unknown) => String(data).replace(/\r\n|\r/g, "\n");
    check(fc.oneof(text, others), "data", "ERR_SSE_DATA", isText, ({ events }) => events[0]?.data, lines);
  });

  test("rules 4 and 11: id", () => {
    const ids = fc.oneof(
      text,
      others,
      fc.string({ unit: fc.constantFrom(..."azAZ09-_.~"), minLength: 120, maxLength: 140 }),
      fc.maxSafeInteger(),
      fc.double(),
    );
    const isAllowed = (id: unknown) =>
      (typeof id === "string" || (typeof id === "number" && Number.isFinite(id))) &&
      /^[A-Za-z0-9._~-]*$/.test(String(id)) &&
      String(id).length <= 128;
    check(ids, "id", "ERR_SSE_ID", isAllowed, ({ lastEventId }) => lastEventId, String);
    check(ids, "id", "ERR_SSE_ID", isAllowed, ({ ownIds }) => ownIds[0], String);
  });

  test("rule 8: retry", () => {
    const retries = fc.oneof(others, fc.integer({ min: -3, max: 3 }), fc.maxSafeInteger(), fc.double(), text);
    const isAllowed = (retry: unknown) => Number.isSafeInteger(retry) && (retry as number) > 0;
    check(retries, "retry", "ERR_SSE_RETRY", isAllowed, ({ retry }) => retry);
  });

  test("rule 24: channel", () => {
    const isAllowed = (channel: unknown) => isText(channel) && channel !== "" && !/[\r\n\0]/.test(channel);
    check(fc.oneof(text, others), "channel", "ERR_SSE_CHANNEL", isAllowed, ({ channels }) => channels[0]);
  });
});

test("rule 24: the channel stands before the data", () => {
  expect(encodeEvent({ type: "t", id: 7, channel: "orders/7", data: "a" })).toBe(
    "event: t\nid: 7\nchannel: orders/7\ndata: a\n\n",
  );
});

test("a type is reserved exactly if it begins with sse:", () => {
  fc.assert(
    fc.property(fc.tuple(fc.constantFrom("", "s", "sse", "sse:", "SSE:", " sse:"), text), ([prefix, rest]) => {
      const type = prefix + rest;
      const assert = () => assertNotReserved(type);
      if (type.startsWith("sse:")) expect(assert).toThrow(/reserved/);
      else expect(assert).not.toThrow();
    }),
  );
});
