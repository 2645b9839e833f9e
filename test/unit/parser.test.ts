import { describe, expect, test } from "vitest";
import { EventStreamParser, parse } from "../support/parser.ts";

/** The judge is judged first: by the examples of the standard and by the sentences of its parsing section. */
describe("the parser of the tests", () => {
  const dataOf = (stream: string) => parse(stream).events.map((event) => event.data);

  test("joins the data lines of an event, as in the first example of the standard", () => {
    expect(dataOf("data: YHOO\ndata: +2\ndata: 10\n\n")).toEqual(["YHOO\n+2\n10"]);
  });

  test("ignores comments, takes ids and resets them, as in the second example", () => {
    const stream =
      ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\ndata: unfinished\n";
    const parser = parse(stream);
    expect(parser.events).toEqual([
      { type: "message", data: "first event", lastEventId: "1" },
      { type: "message", data: "second event", lastEventId: "" },
      { type: "message", data: " third event", lastEventId: "" },
    ]);
    expect(parser.comments).toEqual([" test stream"]);
    expect(parser.complete).toBe(false);
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

  test("ends a line at a CR at once and takes the LF of the next bytes with it", () => {
    const parser = new EventStreamParser();
    const bytes = (text: string) => new TextEncoder().encode(text);
    expect(parser.push(bytes("data: a\r\n\r"))).toHaveLength(1);
    expect(parser.push(bytes("\ndata: b\n\n")).map((event) => event.data)).toEqual(["b"]);
  });

  test("strips one leading byte order mark, not two and not later ones", () => {
    expect(dataOf("\uFEFFdata: a\n\n\uFEFFdata: b\n\ndata: \uFEFFc\n\n")).toEqual(["a", "\uFEFFc"]);
    expect(dataOf("\uFEFF\uFEFFdata: a\n\n")).toEqual([]);
  });

  test("takes an empty type for message, ignores an id with NUL and a retry that is not all digits", () => {
    const parser = parse("event:\nid: a\0b\nretry: 5\nretry: 5.5\nretry: -1\nretry: 0x9\ndata\n\n");
    expect(parser.events).toEqual([{ type: "message", data: "", lastEventId: "" }]);
    expect(parser.retry).toBe(5);
  });

  test("hears nothing of a block without data, but keeps its id", () => {
    const parser = parse("id: 7\nevent: lost\n\ndata: x\n\n");
    expect(parser.events).toEqual([{ type: "message", data: "x", lastEventId: "7" }]);
  });

  test("throws an unfinished block away, its id too", () => {
    expect(parse("id: 1\ndata: a\n\nid: 2\ndata: b\n").lastEventId).toBe("1");
  });
});
