import { expect, test } from "vitest";
import { SourcecastError } from "../../src/index.ts";
import { type EventFields, encodeComment, encodeEvent } from "../../src/wire/encode.ts";
import { Frame } from "../../src/wire/frame.ts";
import fc from "../support/properties.ts";
import { parse, StreamRecorder } from "../support/recorder.ts";

/** Text of everything that has a meaning on the wire, and of anything else. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.string({ unit: fc.constantFrom("\r", "\n", ":", " ", "\0", "\uFEFF", "\uD83D", "\uDE00", "a", "data: ", "é") }),
);
const id = fc.oneof(
  text,
  fc.string({ unit: fc.constantFrom(..."azAZ09-_.~"), maxLength: 140 }),
  fc.double(),
  fc.maxSafeInteger(),
);
const retry = fc.oneof(fc.nat(), fc.double(), fc.maxSafeNat());
const event: fc.Arbitrary<EventFields> = fc.record(
  { type: fc.oneof(fc.constant("message"), text), data: text, id, retry },
  { requiredKeys: ["data"] },
);

const normal = (value: string) => value.replace(/\r\n|\r/g, "\n");

/** The text, or undefined where it was refused with an error of the family; any other error fails the test. */
function encoded(make: () => string): string | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof SourcecastError) return undefined;
    throw error;
  }
}

/** The bytes in pieces of the lengths given, the rest in one. */
function pieces(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const cut: Uint8Array[] = [];
  let from = 0;
  for (const length of lengths) {
    cut.push(bytes.subarray(from, from + length));
    from += length;
  }
  return [...cut, bytes.subarray(from)];
}

function parseInPieces(bytes: Uint8Array, lengths: readonly number[]): StreamRecorder {
  const parser = new StreamRecorder();
  for (const piece of pieces(bytes, lengths)) parser.push(piece);
  return parser;
}

test("parse(encode(x)) is x in any chunking, or encode refuses", () => {
  fc.assert(
    fc.property(event, fc.array(fc.nat(9)), (fields, lengths) => {
      const wire = encoded(() => encodeEvent(fields));
      if (wire === undefined) return;
      const parser = parseInPieces(Frame.of(wire).bytes, lengths);
      expect(parser.events).toEqual([
        {
          type: fields.type ?? "message",
          data: normal(fields.data as string),
          lastEventId: fields.id === undefined ? "" : String(fields.id),
        },
      ]);
      expect(parser.retry).toBe(fields.retry === undefined ? undefined : fields.retry);
      expect(parser.comments).toEqual([]);
      expect(parser.complete).toBe(true);
    }),
    { numRuns: 3_000 },
  );
});

test("valid fields are not rejected", () => {
  const allowed = fc.record({
    type: fc.string({ unit: "grapheme", minLength: 1 }).filter((type) => !/[\r\n]/.test(type)),
    data: fc.string({ unit: "grapheme" }),
    id: fc.oneof(fc.string({ unit: fc.constantFrom(..."azAZ09-_.~"), maxLength: 128 }), fc.maxSafeInteger()),
    retry: fc.maxSafeNat().map((time) => time || 1),
  });
  fc.assert(
    fc.property(allowed, (fields) => {
      expect(parse(encodeEvent(fields)).events).toHaveLength(1);
    }),
  );
});

test("a comment has the given lines, and no client dispatches it", () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(9)), (comment, lengths) => {
      const wire = encoded(() => encodeComment(comment));
      if (wire === undefined) return;
      const parser = parseInPieces(Frame.of(wire).bytes, lengths);
      expect(parser.events).toEqual([]);
      expect(parser.comments).toEqual(normal(comment).split("\n"));
      expect(parser.complete).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

const frame = fc.oneof(event, fc.string({ unit: "grapheme" })).map((of) => {
  const wire = encoded(() => (typeof of === "string" ? encodeComment(of) : encodeEvent(of)));
  return Frame.of(wire ?? ": refused\n");
});

test("joined frames are their concatenation, whoever joins and asks first, and again in the next tick", () => {
  // Each step joins two of the frames so far, looks at the bytes of one, or ends the tick.
  const step = fc.oneof(
    fc.record({ join: fc.tuple(fc.nat(), fc.nat()) }),
    fc.record({ look: fc.nat() }),
    fc.record({ chunk: fc.nat() }),
    fc.constant({ endTick: true }),
  );
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), fc.array(step, { maxLength: 12 }), (frames, steps) => {
      const all = frames.map((one) => ({ frame: one, expected: Buffer.from(one.bytes) }));
      const pick = (index: number) => all[index % all.length] as (typeof all)[number];
      for (const one of steps) {
        if ("join" in one) {
          const [before, after] = [pick(one.join[0]), pick(one.join[1])];
          const expected = Buffer.concat([before.expected, after.expected]);
          if (expected.length < 100_000) all.push({ frame: before.frame.join(after.frame), expected });
        } else if ("look" in one) expect(Buffer.from(pick(one.look).frame.bytes)).toEqual(pick(one.look).expected);
        else if ("chunk" in one)
          expect(unchunk(pick(one.chunk).frame.chunk((bytes) => bytes))).toEqual(pick(one.chunk).expected);
        else Frame.forgetTick();
      }
      for (const one of all) {
        expect(Buffer.from(one.frame.bytes)).toEqual(one.expected);
        expect(one.frame.byteLength).toBe(one.expected.length);
        expect(unchunk(one.frame.chunk((bytes) => bytes))).toEqual(one.expected);
      }
      Frame.forgetTick();
    }),
    { numRuns: 500 },
  );
});

test.each([1, 9, 15, 16, 255, 256, 4095, 4096, 65_535, 65_536, 1_048_577])(
  "the chunk of %i bytes has the right length in front",
  (length) => {
    const text = "x".repeat(length);
    expect(unchunk(Frame.of(text).chunk((bytes) => bytes))).toEqual(Buffer.from(text));
  },
);

/** The content of exactly one chunk of HTTP/1.1. */
function unchunk(chunk: Uint8Array): Buffer {
  const buffer = Buffer.from(chunk);
  const headEnd = buffer.indexOf("\r\n");
  const size = buffer.toString("latin1", 0, headEnd);
  expect(size).toMatch(/^[1-9a-f][0-9a-f]*$/);
  const length = Number.parseInt(size, 16);
  expect(buffer.toString("latin1", headEnd + 2 + length)).toBe("\r\n");
  return buffer.subarray(headEnd + 2, headEnd + 2 + length);
}
