import { crc32 as reference } from "node:zlib";
import { describe, expect, test } from "vitest";
import { combineCrc32, crc32, updateByTable } from "../../../src/compression/crc32.ts";
import fc from "../../support/properties.ts";

const bytes = fc.uint8Array({ maxLength: 200 });

test.each([
  ["", 0],
  ["123456789", 0xcbf43926],
])("the checksum of %j", (text, expected) => {
  const encoded = new TextEncoder().encode(text);
  expect([crc32(encoded), updateByTable(encoded, 0)]).toEqual([expected, expected]);
});

describe.each([
  ["of the platform", crc32],
  ["by a table", updateByTable],
] as const)("the checksum %s", (_, update) => {
  test("continues another one", () => {
    fc.assert(
      fc.property(bytes, bytes, (first, second) => {
        expect(update(second, update(first, 0))).toBe(reference(Buffer.concat([first, second])));
      }),
    );
  });
});

test("two checksums make that of the whole", () => {
  fc.assert(
    fc.property(bytes, bytes, (first, second) => {
      const whole = reference(Buffer.concat([first, second]));
      expect(combineCrc32(reference(first), reference(second), second.length)).toBe(whole);
    }),
  );
});

test("the part that follows a common start can be appended to another one, without its own checksum", () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, (start, own, part) => {
      const end = reference(Buffer.concat([start, part]));
      const whole = reference(Buffer.concat([own, part]));
      expect(combineCrc32(reference(own) ^ reference(start), end, part.length)).toBe(whole);
    }),
  );
});

test("lengths beyond 32 bits count", () => {
  // In steps, or at once.
  const [a, b] = [2 ** 33 + 12_345, 2 ** 34 + 1];
  expect(combineCrc32(combineCrc32(7, 0, a), 0, b)).toBe(combineCrc32(7, 0, a + b));
  expect(combineCrc32(7, 0, 2 ** 32 + 5)).not.toBe(combineCrc32(7, 0, 5));
});
