import { describe, expect, test } from "vitest";
import { EventSource, type SourceOptions } from "../../src/index.ts";
import type { SourceArgument } from "../../src/source/options.ts";
import { openWeb, request } from "../support/web.ts";

const option = (name: string) =>
  expect.objectContaining({ code: "ERR_SSE_OPTION", message: expect.stringMatching(new RegExp(`^[A-Z].*${name}`)) });

describe("an option with a value that is not allowed is refused when the source is made:", () => {
  test.each<[string, unknown[]]>([
    ["keepAlive", [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "", "soon", "10", "10x", true, null, {}, 0.5]],
    ["retry", [0, -1, "0s", Number.NaN, "later", true, false, null, {}, [], [5], [5, 1], [0, 5]]],
    ["maxBufferedBytes", [-1, Number.NaN, Number.POSITIVE_INFINITY, "big", "1tb", true, false, null, {}]],
    ["onOverflow", ["keep", "", 5, true, false, {}]],
    ["render", ["html", 5, true, null, {}]],
    ["headers", ["x: y", 5, true]],
    ["cors", [5, false, null, {}, [5], { origin: 5 }, { credentials: true }]],
  ])("%s", (name, values) => {
    for (const value of values) {
      const make = () =>
        new EventSource(request({ headers: { origin: "http://a.example" } }), { [name]: value } as never);
      expect(make, `${name}: ${JSON.stringify(value)}`).toThrow(option(name));
    }
  });

  test.each([null, true, "soon", 0, -5, Symbol("s")])("the second argument itself: %s", (value) => {
    expect(() => new EventSource(request(), value as never)).toThrow(
      expect.objectContaining({ code: "ERR_SSE_OPTION" }),
    );
  });

  test.each<[string, string]>([
    ["a name with a space", "x y"],
    ["an empty name", ""],
    ["a name with a line break", "x\ny"],
  ])("headers with %s", (_, name) => {
    expect(() => new EventSource(request(), { headers: { [name]: "v" } })).toThrow(option("headers"));
  });

  test.each(["a\r\nset-cookie: b", "a\0b", "日本"])("headers with the value %j", (value) => {
    expect(() => new EventSource(request(), { headers: { "x-name": value } })).toThrow(option("headers"));
  });
});

describe("an option with an allowed value is taken:", () => {
  test.each<SourceOptions>([
    {},
    { keepAlive: 1 },
    { keepAlive: "1.5s" },
    { keepAlive: "2 M" as never },
    { keepAlive: false },
    { keepAlive: "400d" },
    { retry: "3s" },
    { retry: ["1s", 2_000] },
    { retry: [5, 5] },
    { maxBufferedBytes: 0 },
    { maxBufferedBytes: "64KB" as never },
    { onOverflow: "drop" },
    { onOverflow: () => "keep" },
    { cors: [] },
    { closeOnSignal: false },
  ])("%j", async (options) => {
    const { source } = openWeb(options);
    expect(source.readyState).toBe(EventSource.OPEN);
    await source.close();
  });
});

describe("the forms of the constructor:", () => {
  const opening = async (options?: SourceArgument) => {
    const source = new EventSource(request(), options);
    source.dispatch("t", { tag: "b" });
    void source.close();
    return source.response().text();
  };

  test("(request) keeps alive every 30 s, on Bun every 8 s", async () => {
    expect(await opening()).toMatch(/^: keep-alive (30|8)000\nretry: \d+\nevent: t\ndata: {"tag":"b"}\n\n$/);
  });

  test("(request, keepAliveMs)", async () => {
    expect(await opening(1_234)).toMatch(/^: keep-alive 1234\n/);
    expect(await opening("2s")).toMatch(/^: keep-alive 2000\n/);
  });

  test("(request, render)", async () => {
    expect(await opening((element) => `<${element.tag}>`)).toMatch(
      /^: keep-alive \d+\nretry: \d+\nevent: t\ndata: <b>\n\n$/,
    );
  });

  test("(request, options)", async () => {
    const render = (element: { tag: string }) => `<i>${element.tag}</i>`;
    expect(await opening({ keepAlive: false, retry: 77, render })).toBe(
      ": open\nretry: 77\nevent: t\ndata: <i>b</i>\n\n",
    );
  });
});

test("options are read when the source is made and not changed", async () => {
  const options = Object.freeze({ headers: Object.freeze({ "x-a": "1", "Cache-Control": null }), keepAlive: 5_000 });
  const { source, response } = openWeb(options);
  expect(response.headers.get("x-a")).toBe("1");
  await source.close();
});
