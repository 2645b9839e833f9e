import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { CompressionGroup } from "../../../src/compression/group.ts";
import { GzipCoding } from "../../../src/compression/gzip.ts";
import { flushAtEndOfTick } from "../../../src/sinks/flush.ts";
import { Frame } from "../../../src/wire/frame.ts";
import { tick } from "../../support/body-text.ts";

/** The coding of a response, and all that it received: plain, and as it was on the wire. */
class Reader {
  readonly coding = new GzipCoding();
  plain = "";
  readonly wire: Uint8Array[] = [];

  constructor(group: CompressionGroup) {
    this.coding.join(group);
  }

  send(frame: Frame): void {
    this.plain += Buffer.from(frame.bytes).toString();
    this.wire.push(this.coding.encode(frame).bytes);
  }

  get text(): string {
    return gunzipSync(Buffer.concat([...this.wire, this.coding.end(null).bytes])).toString();
  }
}

/** Publishes as a hub does, to these readers of a group. */
async function publish(group: CompressionGroup, text: string, readers: readonly Reader[]): Promise<void> {
  const frame = Frame.of(text);
  group.write(frame);
  flushAtEndOfTick({
    flush() {
      for (const reader of readers) reader.send(frame);
    },
  });
  await tick();
}

test("a reader that a block was not for cannot continue with the next one, only with a fresh one", async () => {
  const group = new CompressionGroup(1);
  const readers = [new Reader(group), new Reader(group), new Reader(group)] as const;
  const [alone, always, sometimes] = readers;
  const event = (n: number): string => `event: price\ndata: {"symbol":"SRC","price":${n}}\n\n`;
  await publish(group, event(0), readers);
  await publish(group, event(1), [alone, always]);
  alone.send(Frame.of(":\n"));
  // One waits, and two count as in step: waiting becomes dearer than a fresh block after three.
  for (let n = 2; n < 5; n++) await publish(group, event(n), [alone, always]);
  await publish(group, event(5), readers);
  expect(sometimes.wire.at(-1)).toBe(always.wire.at(-1));
  expect(alone.wire.at(-1)).toBe(always.wire.at(-1));
  for (let n = 6; n < 8; n++) await publish(group, event(n), readers);
  for (const reader of readers) expect(reader.text).toBe(reader.plain);
});

test("no reader waits for more than a hundred blocks, however many the others are", async () => {
  const group = new CompressionGroup(1);
  const many = Array.from({ length: 1_000 }, () => new Reader(group));
  await publish(group, "event: t\ndata: the first\n\n", many);
  const late = new Reader(group);
  late.send(Frame.of(": open\n"));
  let blocks = 0;
  for (const [one] = many; late.wire.at(-1) !== one?.wire.at(-1); blocks++) {
    await publish(group, `event: t\ndata: ${blocks}\n\n`, [...many, late]);
  }
  expect(blocks).toBe(101);
});

test("its members are counted", async () => {
  let emptied = 0;
  const group = new CompressionGroup(1, () => emptied++);
  const readers = [new Reader(group), new Reader(group)];
  expect(group.readers).toBe(2);
  for (const { coding } of readers) coding.leave();
  for (const { coding } of readers) coding.leave();
  expect([group.readers, emptied]).toEqual([0, 1]);
});
