import { expect, test } from "vitest";
import { Frame } from "../../src/wire/frame.ts";

test("a lasting frame keeps a small frame that was joined to it past the tick, and no large one", () => {
  const opening = Frame.lasting("retry: 1\n");
  const checkpoint = Frame.of("id: 1\n\n");
  const large = Frame.of(`data: ${"x".repeat(1_000)}\n\n`);
  const joined = opening.join(checkpoint);
  Frame.forgetTick();
  expect(opening.join(checkpoint)).toBe(joined);
  expect(new TextDecoder().decode(joined.bytes)).toBe("retry: 1\nid: 1\n\n");
  const long = opening.join(large);
  expect(opening.join(large)).toBe(long);
  Frame.forgetTick();
  expect(opening.join(large)).not.toBe(long);
});
