import { describe, expect, test } from "vitest";
import { formatCursor, nextPosition, type Position, parseCursor } from "../../src/wire/cursor.ts";
import fc from "../support/properties.ts";

const reference = /^([\w-]{1,12})\.(0|[1-9]\d{0,15})\.([1-9a-f][0-9a-f]{0,7})$/;

/** The position by the definition of a cursor. */
function positionOf(text: string): Position | null {
  const [, epoch = "", offset, witness = ""] = reference.exec(text) ?? [];
  const position = { epoch, offset: Number(offset), witness: Number.parseInt(witness, 16) };
  return Number.isSafeInteger(position.offset) ? position : null;
}

const epochs = fc.stringMatching(/^[\w-]{1,12}$/);
const positions = fc.record({
  epoch: epochs,
  offset: fc.nat(Number.MAX_SAFE_INTEGER),
  witness: fc.integer({ min: 1, max: 0xffff_ffff }),
});
/** Cursors, and what a mistake or another server makes of them. */
const texts = fc.oneof(
  positions.map(formatCursor),
  fc.stringMatching(/^[\w-]{0,13}\.[0-9a]{0,17}\.[0-9a-gA]{0,9}$/),
  fc
    .tuple(positions.map(formatCursor), fc.nat(30), fc.constantFrom(".", "0", "g", "A", "/", ":", "`", " ", "é", ""))
    .map(([cursor, at, inserted]) => cursor.slice(0, at) + inserted + cursor.slice(at + 1)),
  fc.string(),
);

describe("a cursor", () => {
  test("is read as it was written", () => {
    fc.assert(
      fc.property(positions, (position) => {
        expect(parseCursor(formatCursor(position))).toEqual(position);
      }),
    );
  });

  test("is told from any other id", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(parseCursor(text)).toEqual(positionOf(text));
      }),
    );
  });

  test("is the same after any position, of its own epoch or one that its epoch begins with", () => {
    const before = fc.oneof(fc.constant(null), positions);
    fc.assert(
      fc.property(texts, before, fc.nat(12), (text, position, length) => {
        const expected = positionOf(text);
        expect(nextPosition(text, position)).toEqual(expected);
        const epoch = (expected?.epoch ?? text).slice(0, length);
        if (positionOf(`${epoch}.0.1`) === null) return;
        expect(nextPosition(text, { epoch, offset: 0, witness: 1 })).toEqual(expected);
      }),
    );
  });
});
