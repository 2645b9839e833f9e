// The position that has to be found in the log again, when its reader moves before it was.
import { describe, expect, test } from "vitest";
import { anchorAfterMove } from "../../../src/hub/subscription/recovery.ts";

const at = (offset: number, epoch = "e") => ({ epoch, offset, witness: offset * 7 });

describe("the anchor of a reader that moves", () => {
  test.each([
    ["stays where the reader is before it", at(9), at(5), at(9)],
    ["moves with a reader that passes it", at(9), at(19), at(19)],
    ["is gone in another epoch", at(9), at(19, "f"), null],
    ["does not come into being", null, at(19), null],
  ])("%s", (_, anchor, position, expected) => {
    expect(anchorAfterMove(anchor, position)).toEqual(expected);
  });

  test("is a new object, so that an answer about the old one is out of date", () => {
    const position = at(19);
    expect(anchorAfterMove(at(9), position)).not.toBe(position);
  });
});
