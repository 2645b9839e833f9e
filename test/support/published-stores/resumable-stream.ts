/** The behaviour that the tests of `resumable-stream` assert of its context, each in one process and between two. */
import { describe, expect, test } from "vitest";
import { type ResumableStreams, resumableStreams } from "../../../src/ai/index.ts";
import type { WithStorage } from "../stores/hub-suite.ts";
import { withProcesses } from "./processes.ts";

/** A stream whose pieces the test writes. */
class Source {
  made = 0;
  readonly #pieces = new TransformStream<string, string>(undefined, { highWaterMark: 100 }, { highWaterMark: 100 });
  readonly #writer = this.#pieces.writable.getWriter();

  readonly make = (): ReadableStream<string> => {
    this.made++;
    return this.#pieces.readable;
  };

  write(...pieces: string[]): void {
    for (const piece of pieces) void this.#writer.write(piece);
  }

  close(): void {
    void this.#writer.close();
  }
}

/** A reader that can stop after some pieces, and continue later. */
class Reader {
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor(stream: ReadableStream<string> | null | undefined) {
    expect(stream).toBeInstanceOf(ReadableStream);
    this.#reader = (stream as ReadableStream<string>).getReader();
  }

  async take(count: number): Promise<string> {
    let text = "";
    for (let taken = 0; taken < count; taken++) text += (await this.#reader.read()).value;
    return text;
  }

  async rest(): Promise<string> {
    let text = "";
    for (let result = await this.#reader.read(); !result.done; result = await this.#reader.read()) text += result.value;
    return text;
  }
}

const never = (): ReadableStream<string> => expect.unreachable("the stream is there");

/** Defines the tests. The first context makes the streams, the second one resumes them. */
export function testResumableStreams(withStorage: WithStorage): void {
  describe.each([1, 2])("with %i process(es)", (processes) => {
    const scenario = (title: string, body: (one: ResumableStreams, two: ResumableStreams) => Promise<void>) =>
      test(
        title,
        withProcesses(withStorage, async (open) => {
          const one = resumableStreams(await open(), { keyPrefix: "test" });
          await body(one, processes === 1 ? one : resumableStreams(await open(), { keyPrefix: "test" }));
        }),
      );

    scenario("a stream that is never resumed is the stream", async (one) => {
      const source = new Source();
      const stream = new Reader(await one.resumableStream("id", source.make));
      source.write("1\n", "2\n", "3\n");
      source.close();
      expect(await stream.rest()).toBe("1\n2\n3\n");
    });

    scenario("two readers get the whole text, in whatever order they read", async (one, two) => {
      for (const id of ["first first", "second first"]) {
        const source = new Source();
        const readers = [
          new Reader(await one.resumableStream(id, source.make)),
          new Reader(await two.resumableStream(id, never)),
        ];
        source.write("1\n", "2\n");
        source.close();
        if (id === "second first") readers.reverse();
        for (const reader of readers) expect(await reader.rest()).toBe("1\n2\n");
        expect(source.made).toBe(1);
      }
    });

    scenario("readers who come one after the other get what was written before them", async (one, two) => {
      const source = new Source();
      const readers = [new Reader(await one.resumableStream("id", source.make))];
      for (const piece of ["1\n", "2\n"]) {
        source.write(piece);
        readers.push(new Reader(await two.resumableStream("id", never)));
      }
      source.close();
      for (const reader of readers) expect(await reader.rest()).toBe("1\n2\n");
    });

    scenario("pieces arrive before the end, and each reader continues where it was", async (one, two) => {
      for (const readsFirst of [[0, 1], [0], [1]]) {
        const id = `read by ${readsFirst}`;
        const source = new Source();
        const first = new Reader(await one.resumableStream(id, source.make));
        source.write("1\n");
        const readers = [first, new Reader(await two.resumableStream(id, never))];
        for (const index of readsFirst) expect(await readers[index]?.take(1)).toBe("1\n");
        source.write("2\n");
        source.close();
        for (const [index, reader] of readers.entries()) {
          expect(await reader.rest()).toBe(readsFirst.includes(index) ? "2\n" : "1\n2\n");
        }
      }
    });

    scenario("streams with different ids are different", async (one, two) => {
      const sources = [new Source(), new Source()];
      const readers: Reader[] = [];
      for (const context of [one, two]) {
        for (const [index, source] of sources.entries()) {
          readers.push(new Reader(await context.resumableStream(`id ${index}`, source.make)));
        }
      }
      sources[0]?.write("1\n", "2\n");
      sources[1]?.write("other\n");
      for (const source of sources) source.close();
      const texts = await Promise.all(readers.map((reader) => reader.rest()));
      expect(texts).toEqual(["1\n2\n", "other\n", "1\n2\n", "other\n"]);
    });

    scenario("characters are skipped: none, some, all", async (one, two) => {
      for (const [skip, rest] of [
        [0, "1\n2\n"],
        [2, "2\n"],
        [3, "\n"],
        [4, ""],
      ] as const) {
        const source = new Source();
        const first = new Reader(await one.resumableStream(`skip ${skip}`, source.make));
        source.write("1\n", "2\n");
        const second = new Reader(await two.resumableStream(`skip ${skip}`, never, skip));
        source.close();
        expect([await first.rest(), await second.rest()]).toEqual(["1\n2\n", rest]);
      }
    });

    scenario("an ended stream is null, and is not made again", async (one, two) => {
      const source = new Source();
      const stream = new Reader(await one.resumableStream("id", source.make));
      source.write("1\n");
      source.close();
      expect(await stream.rest()).toBe("1\n");
      expect(await two.resumableStream("id", never)).toBeNull();
      expect(await two.resumeExistingStream("id")).toBeNull();
      expect(await two.hasExistingStream("id")).toBe("DONE");
    });

    scenario(
      "making and resuming are also two calls, and a stream that was never made is undefined",
      async (one, two) => {
        expect(await two.resumeExistingStream("id")).toBeUndefined();
        expect(await two.hasExistingStream("id")).toBeNull();
        const source = new Source();
        const first = new Reader(await one.createNewResumableStream("id", source.make));
        expect(await two.hasExistingStream("id")).toBe(true);
        const second = new Reader(await two.resumeExistingStream("id"));
        source.write("1\n", "2\n");
        source.close();
        expect([await first.rest(), await second.rest()]).toEqual(["1\n2\n", "1\n2\n"]);
        expect(await two.resumeExistingStream("id")).toBeNull();
      },
    );

    scenario("a reader that leaves takes nothing from the others", async (one, two) => {
      const source = new Source();
      const first = new Reader(await one.resumableStream("id", source.make));
      const leaving = await two.resumableStream("id", never);
      source.write("1\n");
      await leaving?.cancel();
      source.write("2\n");
      source.close();
      expect(await first.rest()).toBe("1\n2\n");
    });
  });
}
