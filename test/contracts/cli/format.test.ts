// Events as lines, and durations and errors as reports have them.
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { jsonLines, textLines } from "../../../src/cli/format.ts";
import { reasonOf, timeOf } from "../../../src/cli/reports.ts";
import { StreamError } from "../../../src/client/errors.ts";
import { ReceivedEvent } from "../../../src/client/events.ts";

const event = (data: string, rest: { id?: string; channel?: string } = {}) =>
  new ReceivedEvent({ type: "price", data, id: rest.id, channel: rest.channel, lastEventId: "9" }, data);

test("JSON lines have the event's own fields, and data as text", () => {
  expect(jsonLines.event(event('{"a":1}', { id: "7", channel: "news" }))).toBe(
    '{"type":"price","data":"{\\"a\\":1}","id":"7","channel":"news"}\n',
  );
  expect(jsonLines.event(event("a\nb"))).toBe('{"type":"price","data":"a\\nb"}\n');
});

test("losses are JSON lines of their control type", () => {
  expect(jsonLines.loss({ kind: "gap", missed: 12, reason: "trimmed", exact: true })).toBe(
    '{"type":"sse:gap","data":"{\\"missed\\":12,\\"reason\\":\\"trimmed\\",\\"exact\\":true}"}\n',
  );
});

test("text has one event per paragraph", () => {
  const format = textLines(new PassThrough());
  expect(format.event(event("a\nb", { id: "7", channel: "news" }))).toMatch(/^\d\d:\d\d:\d\d news price a\n {9}b 7\n$/);
});

test("control characters of a server do not reach the terminal", () => {
  const evil = "\u001b]0;title\u0007 \u009b2J \r\b \u202eko\u2069 ok\tтекст";
  const shown = "\\u001b]0;title\\u0007 \\u009b2J \\u000d\\u0008 \\u202eko\\u2069 ok\tтекст";
  expect(textLines(new PassThrough()).event(event(evil))).toContain(shown);
  const line = jsonLines.event(event(evil));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(line.slice(0, -1)).not.toMatch(/[\0-\x1f\x7f-\x9f]/);
  expect(JSON.parse(line).data).toBe(evil);
});

test.each([
  [0.4, "0 ms"],
  [-3, "0 ms"],
  [800, "800 ms"],
  [2_000, "2 s"],
  [2_345, "2.3 s"],
  [45_100, "45 s"],
  [300_000, "5 min"],
])("%d ms are %s", (time, shown) => expect(timeOf(time)).toBe(shown));

test("the reason of a network error is its innermost cause", () => {
  const refused = new Error("connect ECONNREFUSED ::1:80");
  const cause = new TypeError("fetch failed", { cause: new AggregateError([refused], "") });
  expect(reasonOf(new StreamError("network", "The connection failed: fetch failed", { cause }))).toBe(refused.message);
  expect(reasonOf(new StreamError("status", "The server answered 404"))).toBe("The server answered 404");
  const remedied = new StreamError("request", "Cannot be sent: bad port; correct url", {
    cause: new Error("bad port"),
  });
  expect(reasonOf(remedied)).toBe(remedied.message);
});
