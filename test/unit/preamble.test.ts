import { expect, test, vi } from "vitest";
import { encodePreamble, readKeepAlive } from "../../src/wire/preamble.ts";
import { resolveRetry } from "../../src/wire/retry.ts";
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

test("a reconnection time is drawn from the whole range, from no more than 256 values", () => {
  const draw = resolveRetry([1_000, 9_000]);
  const random = vi.spyOn(Math, "random");
  const drawn = Array.from({ length: 2_048 }, (_, index) => {
    random.mockReturnValueOnce(index / 2_048);
    return draw();
  });
  random.mockRestore();
  expect([Math.min(...drawn), Math.max(...drawn), new Set(drawn).size]).toEqual([1_000, 9_000, 256]);
  const gaps = [...new Set(drawn)].sort((a, b) => a - b).map((time, index, all) => time - (all[index - 1] ?? time));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(32);
  expect(new Set(Array.from({ length: 200 }, resolveRetry([3, 5]))).size).toBe(3);
  expect(resolveRetry(3_000)()).toBe(3_000);
});
