import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideResume, type ResumeHead } from "../../../src/hub/subscription/resume.ts";
import { formatCursor, type Position, parseCursor } from "../../../src/wire/cursor.ts";

const epoch = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
const witness = fc.integer({ min: 1, max: 0xffff_ffff });
/** A log that has trimmed some of its entries. */
const head: fc.Arbitrary<ResumeHead> = fc
  .record({ epoch, top: fc.integer({ min: 0, max: 1_000 }), part: fc.double({ min: 0, max: 1, noNaN: true }) })
  .map(({ part, ...rest }) => ({ ...rest, trimmed: Math.floor(part * rest.top) }));
/** The same with an offset somewhere in it. */
const placed = head.chain((log) => fc.record({ log: fc.constant(log), offset: fc.integer({ min: 0, max: log.top }) }));
const known = fc.option(witness, { nil: undefined });

describe("the resume decision", () => {
  test("no cursor: live", () => {
    fc.assert(
      fc.property(head, known, (log, at) => {
        expect(decideResume(null, log, at)).toEqual({ kind: "live" });
      }),
    );
  });

  test("unreadable: reset, unknown", () => {
    fc.assert(
      fc.property(head, known, (log, at) => {
        expect(decideResume("unreadable", log, at)).toEqual({ kind: "reset", reason: "unknown" });
      }),
    );
  });

  test("another epoch: reset, whatever else fits", () => {
    fc.assert(
      fc.property(placed, epoch, witness, known, ({ log, offset }, other, own, at) => {
        fc.pre(other !== log.epoch);
        const cursor = { epoch: other, offset, witness: own };
        expect(decideResume(cursor, log, at)).toEqual({ kind: "reset", reason: "epoch" });
      }),
    );
  });

  test("above the top: reset, ahead", () => {
    fc.assert(
      fc.property(head, fc.integer({ min: 1, max: 1_000 }), witness, (log, more, own) => {
        const cursor = { epoch: log.epoch, offset: log.top + more, witness: own };
        expect(decideResume(cursor, log, undefined)).toEqual({ kind: "reset", reason: "ahead" });
      }),
    );
  });

  test("another witness at the same offset: reset, diverged, also where a gap would be", () => {
    fc.assert(
      fc.property(placed, witness, witness, ({ log, offset }, own, at) => {
        fc.pre(own !== at);
        const cursor = { epoch: log.epoch, offset, witness: own };
        expect(decideResume(cursor, log, at)).toEqual({ kind: "reset", reason: "diverged" });
      }),
    );
  });

  test("below the first retained: a gap from the next one to the last that is gone", () => {
    fc.assert(
      fc.property(placed, witness, ({ log, offset }, own) => {
        fc.pre(offset < log.trimmed);
        const cursor = { epoch: log.epoch, offset, witness: own };
        expect(decideResume(cursor, log, undefined)).toEqual({ kind: "gap", from: offset + 1, to: log.trimmed });
      }),
    );
  });

  test("else: replay, with the witness and without one in the log", () => {
    const witnesses = fc.oneof(
      witness.map((own) => [own, own] as const),
      witness.map((own) => [own, undefined] as const),
    );
    fc.assert(
      fc.property(placed, witnesses, ({ log, offset }, [own, at]) => {
        fc.pre(offset >= log.trimmed);
        const cursor = { epoch: log.epoch, offset, witness: own };
        expect(decideResume(cursor, log, at)).toEqual({ kind: "replay", after: offset });
      }),
    );
  });

  test("exactly one row holds for any input, and it never promises what is not there", () => {
    const offsets = fc.integer({ min: 0, max: 1_200 });
    const cursors = fc.oneof(
      fc.constant(null),
      fc.constant("unreadable" as const),
      fc.record({ epoch: fc.constantFrom("e", "f"), offset: offsets, witness: fc.integer({ min: 1, max: 3 }) }),
    );
    const witnesses = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined });
    fc.assert(
      fc.property(cursors, head, witnesses, (cursor, log, at) => {
        const decision = decideResume(cursor, { ...log, epoch: "e" }, at);
        if (decision.kind === "replay") expect(decision.after).toBeGreaterThanOrEqual(log.trimmed);
        if (decision.kind === "gap") expect(decision.to).toBe(log.trimmed);
        if (decision.kind === "live") expect(cursor).toBeNull();
        if (decision.kind === "gap" || decision.kind === "replay") expect((cursor as Position).epoch).toBe("e");
      }),
    );
  });
});

describe("a cursor", () => {
  const anyCursor = fc.record({
    epoch,
    offset: fc.maxSafeNat(),
    witness: fc.integer({ min: 1, max: 0xffff_ffff }),
  });

  test("is read back as it was written, in at most 48 of letters, digits and . _ -", () => {
    fc.assert(
      fc.property(anyCursor, (cursor) => {
        const text = formatCursor(cursor);
        expect(parseCursor(text)).toEqual(cursor);
        expect(text).toMatch(/^[A-Za-z0-9._-]{1,48}$/);
      }),
    );
  });

  test("has one form: what is read is what would be written", () => {
    const texts = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[\w.~-]{0,40}$/),
      fc.tuple(epoch, fc.string({ maxLength: 6 }), fc.string({ maxLength: 9 })).map((parts) => parts.join(".")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const cursor = parseCursor(text);
        if (cursor !== null) expect(formatCursor(cursor)).toBe(text);
      }),
    );
  });

  test("that was cut is none, unless what is left has the form of one", () => {
    const text = formatCursor({ epoch: "epoch", offset: 1_234, witness: 0xabc });
    for (let length = 0; length < text.length; length++) {
      const cut = parseCursor(text.slice(0, length));
      if (length <= "epoch.1234.".length) expect(cut).toBeNull();
      else expect(cut?.witness).not.toBe(0xabc);
    }
  });

  test.each([
    "",
    "x",
    "e.1",
    "e..1",
    ".1.1",
    "e.-1.1",
    "e.01.1",
    "e.1.1.1",
    "e.1.g",
    "e.1.0",
    "e.1.01",
    "e.1.ABC",
    "e.1.123456789",
    "e.9007199254740993.1",
    "e.1e3.1",
    " e.1.1",
    "e.1.1\n",
    "é.1.1",
    `${"e".repeat(13)}.1.1`,
    "e.1.1".repeat(1_000),
  ])("%j is not a cursor", (text) => {
    expect(parseCursor(text)).toBeNull();
  });
});
