import { expect, test } from "vitest";
import { Window, Windows } from "../../../src/compression/windows.ts";
import fc from "../../support/properties.ts";

test("a window has the latest 16 kB of what was appended", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 12 }), (lengths) => {
      const window = new Window();
      let all = Buffer.alloc(0);
      for (const [index, length] of lengths.entries()) {
        const bytes = Buffer.alloc(length, index + 1);
        all = Buffer.concat([all, bytes]);
        window.append(bytes);
        expect(Buffer.compare(window.bytes, all.subarray(-16_384))).toBe(0);
      }
      window.clear();
      expect(window.bytes).toHaveLength(0);
    }),
    { numRuns: 50 },
  );
});

test("of too many, the one that was not used for the longest time is dropped", () => {
  const windows = new Windows(2);
  const [a, b, c] = [{}, {}, {}];
  windows.use(a).append(Uint8Array.of(1));
  windows.use(b);
  expect(windows.use(a).bytes).toEqual(Uint8Array.of(1));
  windows.use(c);
  expect([windows.has(a), windows.has(b), windows.has(c), windows.size]).toEqual([true, false, true, 2]);
  windows.release(a);
  expect([windows.has(a), windows.size]).toEqual([false, 1]);
});
