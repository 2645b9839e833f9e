/** The context of resumable-stream on a hub. */
import { describe, expect, test } from "vitest";
import { type ResumableStreams, resumableStreams } from "../../../src/ai/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { openHub } from "../../support/hub.ts";

function openTwo() {
  const log = memoryLog();
  return [openHub({ log }).hub, openHub({ log }).hub].map((hub) => resumableStreams(hub, { lease: "2s" }));
}

/** A stream that is written by hand. */
function written() {
  let controller: ReadableStreamDefaultController<string> | undefined;
  let made = 0;
  const make = () => {
    made++;
    return new ReadableStream<string>({
      start(one) {
        controller = one;
      },
    });
  };
  return {
    make,
    write: (text: string) => controller?.enqueue(text),
    end: () => controller?.close(),
    fail: () => controller?.error(new Error("no model")),
    get made() {
      return made;
    },
  };
}

async function textOf(stream: ReadableStream<string> | null | undefined): Promise<string> {
  let text = "";
  for await (const piece of stream ?? []) text += piece;
  return text;
}

describe("resumableStreams()", () => {
  test("makes a stream once, and gives it to all from its start", async () => {
    const [one, two] = openTwo();
    const stream = written();
    const first = await one?.resumableStream("id", stream.make);
    const second = await two?.resumableStream("id", stream.make);
    await expect.poll(() => stream.made).toBe(1);
    stream.write("a\nb\r\n");
    stream.write("\u{1f600}");
    const third = await two?.resumeExistingStream("id", 2);
    stream.end();
    expect(await Promise.all([first, second, third].map(textOf))).toEqual(["a\nb\r\n😀", "a\nb\r\n😀", "b\r\n😀"]);
  });

  test("knows the state of a stream", async () => {
    const [one, two] = openTwo();
    expect(await two?.hasExistingStream("id")).toBe(null);
    expect(await two?.resumeExistingStream("id")).toBe(undefined);
    const stream = written();
    const first = await one?.createNewResumableStream("id", stream.make);
    expect(await two?.hasExistingStream("id")).toBe(true);
    await expect.poll(() => stream.made).toBe(1);
    stream.end();
    await textOf(first);
    expect(await two?.hasExistingStream("id")).toBe("DONE");
    expect(await two?.resumeExistingStream("id")).toBe(null);
    expect(await two?.resumableStream("id", stream.make)).toBe(null);
    expect(stream.made).toBe(1);
  });

  test("passes a failure of the producer on to readers", async () => {
    const errors: unknown[] = [];
    const { hub } = openHub();
    const streams = resumableStreams(hub, { onError: (error) => errors.push(error) });
    const stream = written();
    const first = await streams.resumableStream("id", stream.make);
    await expect.poll(() => stream.made).toBe(1);
    stream.write("a");
    stream.fail();
    await expect(textOf(first)).rejects.toThrow("not complete");
    expect(errors).toEqual([expect.objectContaining({ message: "no model" })]);
  });

  test.each([
    [() => resumableStreams({} as never), "hub"],
    [() => resumableStreams(openHub().hub, { lease: 1 }), "lease"],
    [() => resumableStreams(openHub().hub, { leese: 1 } as never), "leese"],
  ])("rejects a wrong option", (call, name) => {
    expect(call).toThrow(name);
  });

  test("keeps contexts with other prefixes apart, and tells waitUntil of the streams that this process writes", async () => {
    const { hub } = openHub();
    const pending: Promise<unknown>[] = [];
    const [one, other] = ["one", "other"].map((keyPrefix) =>
      resumableStreams(hub, { keyPrefix, waitUntil: (promise) => void pending.push(promise) }),
    ) as [ResumableStreams, ResumableStreams];
    const stream = written();
    const reading = textOf(await one.resumableStream("1", stream.make));
    expect([pending.length, await other.hasExistingStream("1")]).toEqual([1, null]);
    let isOver = false;
    void pending[0]?.then(() => {
      isOver = true;
    });
    stream.write("a");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isOver).toBe(false);
    stream.end();
    await pending[0];
    expect([await reading, await one.hasExistingStream("1")]).toEqual(["a", "DONE"]);
  });

  test("takes the options of resumable-stream, and neither connects nor closes the clients among them", async () => {
    const client = new Proxy({}, { get: (_, name) => expect.unreachable(`${String(name)} was used`) });
    const options = {
      waitUntil: null,
      keyPrefix: "k",
      publisher: client,
      subscriber: client,
      doneWatchdogIntervalMs: 10,
    };
    const createResumableStreamContext = (all: typeof options) => resumableStreams(openHub().hub, all);
    const streams = createResumableStreamContext(options);
    const stream = written();
    const reading = textOf(await streams.resumableStream("id", stream.make));
    stream.write("a");
    stream.end();
    expect(await reading).toBe("a");
  });

  test("takes null for waitUntil, and rejects anything else that cannot be called", () => {
    const { hub } = openHub();
    expect(() => resumableStreams(hub, { waitUntil: null })).not.toThrow();
    expect(() => resumableStreams(hub, { waitUntil: 5 as never })).toThrow(/waitUntil/);
  });

  test.each([undefined, "", 7])("rejects the stream id %j", async (id) => {
    const streams = resumableStreams(openHub().hub);
    await expect(streams.hasExistingStream(id as never)).rejects.toThrow("streamId");
  });
});
