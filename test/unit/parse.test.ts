import { createParser } from "eventsource-parser";
import { describe, expect, test } from "vitest";
import { SourcecastError } from "../../src/index.ts";
import { EventStreamParser, type EventStreamParserOptions } from "../../src/wire/parse.ts";
import fc from "../support/properties.ts";
import { parse, StreamRecorder } from "../support/recorder.ts";
import { interpret, type Report } from "../support/reference-parser.ts";

const encoder = new TextEncoder();

/** Everything that the parser reports for these chunks, in order. */
function reportsOf(chunks: Iterable<string | Uint8Array>, options: EventStreamParserOptions = {}) {
  const reports: Report[] = [];
  const parser = new EventStreamParser(
    {
      onEvent: (event) => reports.push({ event }),
      onComment: (comment) => reports.push({ comment }),
      onRetry: (retry) => reports.push({ retry }),
      onField: (name, value) => reports.push({ field: [name, value] }),
    },
    options,
  );
  let error: unknown;
  try {
    for (const chunk of chunks) parser.push(chunk);
  } catch (thrown) {
    error = thrown;
  }
  return { reports, lastEventId: parser.lastEventId, error, parser };
}

/** Cuts at the lengths given; the rest is one piece. */
function pieces<T extends string | Uint8Array>(whole: T, lengths: readonly number[]): T[] {
  const cut = (from: number, to?: number) =>
    typeof whole === "string" ? whole.slice(from, to) : whole.subarray(from, to);
  const result: unknown[] = [];
  let from = 0;
  for (const length of lengths) {
    result.push(cut(from, from + length));
    from += length;
  }
  return [...result, cut(from)] as T[];
}

describe("the standard's examples and rules", () => {
  const dataOf = (stream: string) => parse(stream).events.map((event) => event.data);

  test("joins the data lines of an event, as in the first example of the standard", () => {
    expect(dataOf("data: YHOO\ndata: +2\ndata: 10\n\n")).toEqual(["YHOO\n+2\n10"]);
  });

  test("ignores comments, takes ids and resets them, as in the second example", () => {
    const stream =
      ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\ndata: unfinished\n";
    const recorder = parse(stream);
    expect(recorder.events).toEqual([
      { type: "message", data: "first event", lastEventId: "1" },
      { type: "message", data: "second event", lastEventId: "" },
      { type: "message", data: " third event", lastEventId: "" },
    ]);
    expect(recorder.comments).toEqual(["test stream"]);
    expect(recorder.complete).toBe(false);
  });

  test("takes an empty data line for data, as in the third example", () => {
    expect(dataOf("data\n\ndata\ndata\n\ndata:")).toEqual(["", "\n"]);
  });

  test("removes one leading space, as in the fourth example", () => {
    expect(dataOf("data:test\n\ndata: test\n\ndata:\ttab\n\n")).toEqual(["test", "test", "\ttab"]);
  });

  test.each(["\n", "\r", "\r\n"])("ends lines at %j", (end) => {
    expect(dataOf(`data: a${end}data: b${end}${end}`)).toEqual(["a\nb"]);
  });

  test("ends a line at a CR at once and takes the LF of the next chunk with it", () => {
    const recorder = new StreamRecorder();
    expect(recorder.push("data: a\r\n\r")).toHaveLength(1);
    expect(recorder.push("\ndata: b\n\n").map((event) => event.data)).toEqual(["b"]);
  });

  test("strips one leading byte order mark, not two and not later ones", () => {
    expect(dataOf("\uFEFFdata: a\n\n\uFEFFdata: b\n\ndata: \uFEFFc\n\n")).toEqual(["a", "\uFEFFc"]);
    for (const stream of ["\uFEFF\uFEFFdata: a\n\n", encoder.encode("\uFEFF\uFEFFdata: a\n\n")]) {
      expect(parse(stream).events).toEqual([]);
    }
  });

  test("takes an empty type for message, ignores an id with NUL and a retry that is not all digits", () => {
    const recorder = parse("event:\nid: a\0b\nretry: 5\nretry: 5.5\nretry: -1\nretry: 0x9\nretry:\nretry: ٣\ndata\n\n");
    expect(recorder.events).toEqual([{ type: "message", data: "", lastEventId: "" }]);
    expect(recorder.retry).toBe(5);
  });

  test("dispatches nothing for a block without data, but keeps its id", () => {
    const recorder = parse("id: 7\nevent: lost\n\ndata: x\n\n");
    expect(recorder.events).toEqual([{ type: "message", data: "x", lastEventId: "7" }]);
  });

  test("throws an unfinished event away, its id too", () => {
    expect(parse("id: 1\ndata: a\n\nid: 2\ndata: b\n").lastEventId).toBe("1");
  });

  test("replaces bytes that are not UTF-8, and decodes a character that two chunks share", () => {
    const { reports } = reportsOf([encoder.encode("data: é").subarray(0, 7), encoder.encode("é\xff\n\n").subarray(1)]);
    expect(reports).toMatchObject([{ event: { data: "éÿ" } }]);
    expect(reportsOf([new Uint8Array([100, 97, 116, 97, 58, 0xff, 0xc3, 10, 10])]).reports).toMatchObject([
      { event: { data: "\uFFFD\uFFFD" } },
    ]);
  });
});

describe("beyond the standard", () => {
  test("an event has an id of its own or none; the last id carries over", () => {
    expect(reportsOf(["id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"]).reports).toMatchObject([
      { event: { id: "1", lastEventId: "1" } },
      { event: { id: undefined, lastEventId: "1" } },
      { event: { id: "", lastEventId: "" } },
    ]);
  });

  test("a retry takes effect when its line ends, a comment too: no blank line is needed", () => {
    expect(reportsOf([":a\n: b\nretry: 7\nretry: 8"]).reports).toEqual([
      { comment: "a" },
      { comment: "b" },
      { retry: 7 },
    ]);
  });

  test("rule 24: the field channel labels its event alone; other unknown fields are passed on", () => {
    const { reports } = reportsOf(["channel: news\nx: 1\ndata: a\n\ndata: b\n\n"]);
    expect(reports).toMatchObject([
      { field: ["channel", "news"] },
      { field: ["x", "1"] },
      { event: { data: "a", channel: "news" } },
      { event: { data: "b", channel: undefined } },
    ]);
  });

  test("reset() begins a new stream: it keeps the last id and nothing else", () => {
    const { parser, reports } = reportsOf(["id: 1\ndata: a\n\nid: 2\nevent: t\nchannel: c\ndata: lost\nda"]);
    parser.reset();
    expect(parser.complete).toBe(true);
    parser.push("\uFEFFdata: b\n\n");
    expect(reports.at(-1)).toEqual({
      event: { type: "message", data: "b", id: undefined, lastEventId: "1", channel: undefined },
    });
    parser.push(encoder.encode("data: é").subarray(0, 7));
    parser.reset();
    parser.push(encoder.encode("data: x\n\n"));
    expect(reports.at(-1)).toMatchObject({ event: { data: "x" } });
    parser.push("data: y\r");
    parser.reset();
    parser.push("\ndata: z\n\n");
    expect(reports.at(-1)).toMatchObject({ event: { data: "z" } });
  });

  test("reset() in a callback drops the rest of the chunk", () => {
    const heard: string[] = [];
    const parser = new EventStreamParser({
      onEvent: ({ data }) => {
        heard.push(data);
        if (data === "b") parser.reset();
      },
    });
    parser.push("data: a\n\ndata: b\n\ndata: c\n\ndata: d");
    parser.push("data: e\n\n");
    expect(heard).toEqual(["a", "b", "e"]);
  });

  test("a client continues with the id that it was given", () => {
    expect(reportsOf(["data: a\n\n"], { lastEventId: "9" }).reports).toMatchObject([{ event: { lastEventId: "9" } }]);
  });
});

describe("maxEventSize", () => {
  const maxEventSize = 20;
  // 6 of "data: " and 14 of text are 20.
  const fits = `data: ${"x".repeat(14)}\n\n`;
  const tooLong = `data: ${"x".repeat(15)}`;

  test.each([
    ["a line", `${tooLong}\n\n`],
    ["a line that never ends", tooLong],
    ["many lines", `${"data:\n".repeat(18)}\n`],
    ["a comment", `: ${"x".repeat(19)}\n`],
    ["a field that the standard does not know", "y".repeat(21)],
  ])("an event over it is an error, which says so: %s", (_, stream) => {
    for (const chunks of [[fits + stream], [...fits, ...stream], pieces(fits + stream, [30])]) {
      const { reports, error, parser } = reportsOf(chunks, { maxEventSize });
      expect(reports).toHaveLength(1);
      expect(error).toBeInstanceOf(SourcecastError);
      expect(error).toMatchObject({
        code: "ERR_SSE_LIMIT",
        message: expect.stringMatching(/20 bytes; raise maxEventSize/),
      });
      // Whatever the client pushes by mistake is not taken for the start of an event.
      expect(() => parser.push("\n\ndata: y\n\n")).toThrow(/maxEventSize/);
      expect(reports).toHaveLength(1);
      parser.reset();
      parser.push(fits);
      expect(reports).toHaveLength(2);
    }
  });

  test("lines that are not kept do not count: comments, retries and unknown fields may go on forever", () => {
    const lines = ": keep-alive\nretry: 1000\nfield: value\nevent: type\n".repeat(50);
    expect(reportsOf([lines, fits], { maxEventSize }).error).toBeUndefined();
  });

  test("16 MB are allowed by default, and what is not a size is refused", () => {
    const { parser, reports } = reportsOf([]);
    for (let count = 0; count < 16; count++) parser.push(`data: ${"x".repeat(2 ** 20 - 7)}\n`);
    parser.push("\n");
    expect(reports).toHaveLength(1);
    for (const maxEventSize of ["16mb" as never, 0, -1, Number.NaN]) {
      expect(() => new EventStreamParser({ onEvent() {} }, { maxEventSize })).toThrow(
        expect.objectContaining({ code: "ERR_SSE_OPTION", message: expect.stringContaining("maxEventSize") }),
      );
    }
  });
});

describe("on any bytes", () => {
  /** Text of everything that has a meaning in a stream, and of anything else. */
  const token = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("\n", "\n", "\r", "\r\n", "\n\n", "\r\n\r\n") },
    {
      weight: 4,
      arbitrary: fc.constantFrom("data", "data:", "data: ", "event: ", "id: ", "id", "retry: ", "channel: "),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom(":", " ", ": ", "\0", "\uFEFF", "1", "00", "a", "é", "\u{1F600}", "\u2028"),
    },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
  );
  const stream = fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join(""));
  const bytes = fc.oneof(
    { weight: 5, arbitrary: stream.map((text) => encoder.encode(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
    // Bytes that are not UTF-8, in the middle of a stream.
    {
      weight: 1,
      arbitrary: fc
        .tuple(stream, fc.uint8Array({ maxLength: 4 }), stream)
        .map(([a, b, c]) => new Uint8Array([...encoder.encode(a), ...b, ...encoder.encode(c)])),
    },
  );
  const lengths = fc.array(fc.nat(9), { maxLength: 30 });
  const decode = (stream: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(stream, { stream: true });

  test("it reports what the standard says, in any chunking, as bytes and as text", () => {
    fc.assert(
      fc.property(bytes, lengths, (stream, lengths) => {
        const text = decode(stream);
        const expected = interpret(text);
        for (const chunks of [[stream], pieces(stream, lengths), [text], pieces(text, lengths)]) {
          const { reports, lastEventId } = reportsOf(chunks);
          expect({ reports, lastEventId }).toEqual(expected);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test("an event over the limit is found at the same place in any chunking", () => {
    fc.assert(
      fc.property(stream, lengths, fc.integer({ min: 1, max: 12 }), (text, lengths, maxEventSize) => {
        const whole = reportsOf([text], { maxEventSize });
        const cut = reportsOf(pieces(text, lengths), { maxEventSize });
        expect(cut.reports).toEqual(whole.reports);
        expect(String(cut.error)).toBe(String(whole.error));
      }),
      { numRuns: 2_000 },
    );
  });

  /**
   * It agrees with `eventsource-parser`, but where that one is not the standard: it strips the three characters `ï»¿` at the
   * start as if they were the bytes of a byte order mark. It reports an id with its event, and has no last id.
   */
  test("it dispatches the same events as eventsource-parser", () => {
    const differs = (text: string) => text.startsWith("\xEF\xBB\xBF");
    fc.assert(
      fc.property(bytes, lengths, (stream, lengths) => {
        const text = decode(stream);
        fc.pre(!differs(text));
        const theirs: Report[] = [];
        const parser = createParser({
          onEvent: ({ id, event, data }) => theirs.push({ event: { type: event ?? "message", data, id } as never }),
          onComment: (comment) => theirs.push({ comment }),
          onRetry: (retry) => theirs.push({ retry }),
        });
        for (const piece of pieces(text, lengths)) parser.feed(piece);
        const ours = reportsOf(pieces(text, lengths)).reports.filter((report) => !("field" in report));
        expect(ours).toMatchObject(theirs);
        expect(ours).toHaveLength(theirs.length);
      }),
      { numRuns: 3_000 },
    );
    const difference = "\xEF\xBB\xBFdata: a\n\n";
    let theirs = 0;
    createParser({ onEvent: () => theirs++ }).feed(difference);
    expect([theirs, parse(difference).events.length]).toEqual([1, 0]);
  });
});

describe("costs", () => {
  function timeOf(run: () => void): number {
    const start = performance.now();
    run();
    return performance.now() - start;
  }

  test.each([
    ["one line in many chunks", (n: number) => ["data: ", ...Array<string>(n).fill("x"), "\n\n"]],
    ["lines without a colon", (n: number) => ["x\n".repeat(n)]],
    ["a CR far away", (n: number) => [`${"data: x\n\n".repeat(n)}\r`]],
    ["an LF far away", (n: number) => [`${"data: x\r\r".repeat(n)}\n`]],
    ["many data lines", (n: number) => [`${"data: x\n".repeat(n)}\n`]],
  ])("take time in proportion to the length of the stream: %s", (_, chunksOf) => {
    const [short, long] = [chunksOf(5_000), chunksOf(160_000)];
    // 32 times the length takes 32 times the time, or 1,024 times where it is quadratic. A busy machine gets more tries.
    const isLinear = (): boolean => {
      const time = timeOf(() => reportsOf(short));
      return timeOf(() => reportsOf(long)) <= Math.max(time, 0.05) * 200;
    };
    expect(Array.from({ length: 5 }).some(isLinear)).toBe(true);
  });

  test("a million events in one chunk are a million events", () => {
    let [events, length] = [0, 0];
    const parser = new EventStreamParser({
      onEvent: ({ data }) => {
        events++;
        length += data.length;
      },
    });
    parser.push(encoder.encode("event: tick\nid: 12\ndata: hello\n\n".repeat(1_000_000)));
    expect([events, length]).toEqual([1_000_000, 5_000_000]);
  });
});
