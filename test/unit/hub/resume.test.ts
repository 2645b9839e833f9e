import { describe, expect, test } from "vitest";
import { decideResume } from "../../../src/hub/subscription/resume.ts";
import type { Head, LocateAnswer } from "../../../src/log/log.ts";
import { formatCursor, type Position, parseCursor } from "../../../src/wire/cursor.ts";
import fc from "../../support/properties.ts";

const epoch = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
const witness = fc.integer({ min: 1, max: 0xffff_ffff });
const part = fc.integer({ min: 0, max: 1_000 }).map((thousandths) => thousandths / 1_000);

interface Log {
  readonly head: Head;
  /** The highest offset that was trimmed away from the channels in question. */
  readonly trimmed: number;
}

/** A log that has trimmed some of its entries, and among them some of the channels in question. */
const log: fc.Arbitrary<Log> = fc
  .record({
    epoch,
    top: fc.integer({ min: 0, max: 1_000 }),
    floor: part,
    trimmed: part,
    witness,
    floorWitness: witness,
  })
  .map(({ floor, trimmed, floorWitness, ...head }) => {
    const offset = Math.floor(floor * head.top);
    return { head: { ...head, floor: { offset, witness: floorWitness } }, trimmed: Math.floor(trimmed * offset) };
  });
/** The same, with a position somewhere in it. */
const placed = log.chain((one) =>
  fc.record({
    log: fc.constant(one),
    cursor: fc.record({
      epoch: fc.constant(one.head.epoch),
      offset: fc.integer({ min: 0, max: one.head.top }),
      witness,
    }),
  }),
);
const verification = fc.constantFrom<LocateAnswer["verification"]>("same", "other", "unknown");

const floorOf = ({ head }: Log): Position => ({ epoch: head.epoch, ...head.floor });
const topOf = ({ head }: Log): Position => ({ epoch: head.epoch, offset: head.top, witness: head.witness });

describe("the resume decision", () => {
  test("no cursor: live", () => {
    fc.assert(
      fc.property(log, ({ head, trimmed }) => {
        expect(
          decideResume(null, { head: head, answer: { verification: "same", trimmed } }, { conflates: true }),
        ).toEqual({ kind: "live" });
      }),
    );
  });

  test("unreadable: reset, unknown", () => {
    fc.assert(
      fc.property(log, verification, ({ head, trimmed }, verified) => {
        const answer = { verification: verified, trimmed };
        expect(decideResume("unreadable", { head: head, answer: answer }, { conflates: true })).toEqual({
          kind: "reset",
          reason: "unknown",
        });
      }),
    );
  });

  test("another epoch: reset, whatever else fits", () => {
    fc.assert(
      fc.property(placed, epoch, verification, ({ log: { head, trimmed }, cursor }, other, verified) => {
        fc.pre(other !== head.epoch);
        const decision = decideResume(
          { ...cursor, epoch: other },
          { head: head, answer: { verification: verified, trimmed } },
          { conflates: true },
        );
        expect(decision).toEqual({ kind: "reset", reason: "epoch" });
      }),
    );
  });

  test("above the top: reset, ahead", () => {
    fc.assert(
      fc.property(placed, fc.integer({ min: 1, max: 1_000 }), ({ log: { head, trimmed }, cursor }, more) => {
        const ahead = { ...cursor, offset: head.top + more };
        expect(
          decideResume(ahead, { head: head, answer: { verification: "other", trimmed } }, { conflates: true }),
        ).toEqual({
          kind: "reset",
          reason: "ahead",
        });
      }),
    );
  });

  test("refuted: reset, diverged, also where a gap would be", () => {
    fc.assert(
      fc.property(placed, ({ log: { head, trimmed }, cursor }) => {
        const decision = decideResume(
          cursor,
          { head: head, answer: { verification: "other", trimmed } },
          { conflates: true },
        );
        expect(decision).toEqual({ kind: "reset", reason: "diverged" });
      }),
    );
  });

  test("confirmed, and entries after it were trimmed: a gap to the last of them, and on from the floor", () => {
    fc.assert(
      fc.property(placed, part, ({ log: one, cursor: { offset: _, ...rest } }, share) => {
        fc.pre(one.trimmed > 0);
        const cursor = { ...rest, offset: Math.floor(share * (one.trimmed - 1)) };
        expect(
          decideResume(
            cursor,
            { head: one.head, answer: { verification: "same", trimmed: one.trimmed } },
            { conflates: true },
          ),
        ).toEqual({
          kind: "gap",
          reason: "trimmed",
          from: cursor.offset + 1,
          to: one.trimmed,
          position: floorOf(one),
        });
      }),
    );
  });

  test("the same for a reader that does not conflate: superseded entries up to the floor may be missing, too", () => {
    fc.assert(
      fc.property(placed, ({ log: { head, trimmed }, cursor }) => {
        const answer = { verification: "same", trimmed } as const;
        const decision = decideResume(cursor, { head, answer }, { conflates: false });
        const conflating = decideResume(cursor, { head, answer }, { conflates: true });
        expect(decision).toEqual(conflating.kind === "gap" ? { ...conflating, to: head.floor.offset } : conflating);
      }),
    );
  });

  test("neither confirmed nor refuted: a gap of everything that may be another log's, even if nothing was trimmed", () => {
    fc.assert(
      fc.property(placed, ({ log: one, cursor }) => {
        const position = cursor.offset < one.head.floor.offset ? floorOf(one) : topOf(one);
        expect(
          decideResume(
            cursor,
            { head: one.head, answer: { verification: "unknown", trimmed: one.trimmed } },
            { conflates: true },
          ),
        ).toEqual({
          kind: "gap",
          reason: "unverified",
          from: 1,
          to: position.offset,
          position,
        });
      }),
    );
  });

  test("confirmed, and nothing of its channels was trimmed after it: replay, however much others lost", () => {
    fc.assert(
      fc.property(placed, ({ log: { head, trimmed }, cursor }) => {
        fc.pre(cursor.offset >= trimmed);
        const decision = decideResume(
          cursor,
          { head: head, answer: { verification: "same", trimmed } },
          { conflates: true },
        );
        expect(decision).toEqual({ kind: "replay", position: cursor });
      }),
    );
  });

  test("a client that has less than what was confirmed is told of what is missing from there", () => {
    fc.assert(
      fc.property(placed, part, ({ log: { head, trimmed }, cursor }, share) => {
        const known = Math.floor(share * cursor.offset);
        const decision = decideResume(
          cursor,
          { head: head, answer: { verification: "same", trimmed } },
          { conflates: true, known },
        );
        expect(decision.kind).toBe(known < trimmed ? "gap" : "replay");
        if (decision.kind === "gap") expect(decision.from).toBe(known + 1);
      }),
    );
  });

  test("a stream that continues does so at a position that can be verified, and declares all that may be missing", () => {
    fc.assert(
      fc.property(placed, verification, ({ log: one, cursor }, verified) => {
        const decision = decideResume(
          cursor,
          { head: one.head, answer: { verification: verified, trimmed: one.trimmed } },
          { conflates: true },
        );
        if (decision.kind !== "gap") return;
        expect([floorOf(one), topOf(one)]).toContainEqual(decision.position);
        // The omitted entries: of an unverified log possibly everything up to there, else what its channels lost.
        const missing = verified === "unknown" ? decision.position.offset : one.trimmed - cursor.offset;
        expect(decision.to - decision.from + 1).toBeGreaterThanOrEqual(missing);
        expect(decision.to).toBeLessThanOrEqual(decision.position.offset);
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

  test("that was cut is invalid, unless the rest has the form of a cursor", () => {
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
