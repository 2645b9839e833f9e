import { expect, test } from "vitest";
import { encodePreamble, readKeepAlive } from "../../src/wire/preamble.ts";
import fc from "../support/properties.ts";
import { parse } from "../support/recorder.ts";

test("rule 17: a client reads the announced keep-alive back", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1 }),
      fc.oneof(fc.nat(), fc.double({ min: 0.001, max: 1e11, noNaN: true })),
      (retry, keepAlive) => {
        const stream = parse(encodePreamble(retry, keepAlive));
        expect([stream.retry, stream.events, stream.complete]).toEqual([retry, [], true]);
        expect(stream.comments.map(readKeepAlive)).toEqual([keepAlive]);
      },
    ),
  );
});

test("without a keep-alive there is a comment too, which announces none", () => {
  const stream = parse(encodePreamble(7, Number.POSITIVE_INFINITY));
  expect(stream.comments.map(readKeepAlive)).toEqual([null]);
});

test.each(["", "keep-alive", "keep-alive x", " keep-alive 5", "keep-alive 5s", "keep-alive -5", "keep-alive 1e9"])(
  "any other comment announces nothing: %j",
  (comment) => expect(readKeepAlive(comment)).toBeNull(),
);
