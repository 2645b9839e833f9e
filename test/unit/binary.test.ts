/** Bytes become text, or an error that says what to do: never `{}`. */
import { describe, expect, test } from "vitest";
import { createHub, EventSourceSet, ServerSentEvent } from "../../src/index.ts";
import { serialize } from "../../src/wire/encode.ts";
import { openWeb } from "../support/web.ts";

const text = "é日 bytes";
const encoded = new TextEncoder().encode(text);
/** The same bytes in the middle of a larger buffer. */
const inside = new Uint8Array([120, ...encoded, 120]);
const shared = new Uint8Array(new SharedArrayBuffer(encoded.length));
shared.set(encoded);

const buffers: [string, () => ArrayBufferView | ArrayBufferLike][] = [
  ["a Uint8Array", () => encoded],
  ["a part of a buffer", () => inside.subarray(1, -1)],
  ["an ArrayBuffer", () => encoded.slice().buffer],
  ["a DataView", () => new DataView(inside.buffer, 1, encoded.length)],
  ["an Int8Array", () => new Int8Array(encoded.slice().buffer)],
  ["a Uint8Array of shared memory", () => shared],
  ["a SharedArrayBuffer", () => shared.buffer],
];
const others: [string, () => unknown][] = [
  ["a Blob", () => new Blob([encoded])],
  ["a File", () => new File([encoded], "name")],
  ["a ReadableStream", () => new ReadableStream()],
  ["a Response", () => new Response("x")],
  ["a FormData", () => new FormData()],
  ["a URLSearchParams", () => new URLSearchParams("a=b")],
];
const bytesError = expect.objectContaining({ code: "ERR_SSE_DATA", message: expect.stringMatching(/binary.*base64/) });

describe("a pipe", () => {
  test.each(buffers)("sends the text of %s", async (_, make) => {
    const { source, client } = openWeb();
    expect(await source.pipe([make()])).toEqual({ ended: "done", events: 1 });
    await source.close();
    expect((await client.rest()).map(({ data }) => data)).toEqual([text]);
  });

  test.each(buffers)("joins characters across pieces of the kind of %s", async (_, make) => {
    const { source, client } = openWeb();
    const whole = make();
    const bytes = ArrayBuffer.isView(whole)
      ? new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength)
      : new Uint8Array(whole);
    const pieces = [bytes.slice(0, 1), bytes.slice(1, 4), bytes.slice(4)].map((piece) =>
      ArrayBuffer.isView(whole) ? piece : piece.buffer,
    );
    await source.pipe(pieces);
    await source.close();
    expect((await client.rest()).map(({ data }) => data).join("")).toBe(text);
  });

  test.each(others)("fails for %s, with the remedy", async (_, make) => {
    const { source } = openWeb();
    expect(await source.pipe([make()])).toEqual({ ended: "failed", events: 0, error: bytesError });
  });

  test("of a channel does the same", async () => {
    await using hub = createHub();
    const client = await hub.channel("a").response(new Request("http://localhost/"));
    await hub.channel("a").pipe([encoded.slice().buffer, new DataView(encoded.buffer)]);
    const received = await client.text();
    expect(received.split(`data: ${text}\n`)).toHaveLength(3);
  });
});

describe.each<[string, () => unknown, RegExp]>([
  ["a Map", () => new Map([["a", 1]]), /instance of Map.*; pass Object\.fromEntries/],
  ["a Set", () => new Set([1]), /instance of Set.*; pass \[\.\.\.set\]/],
  ["an Error", () => new TypeError("x"), /instance of TypeError.*; pass .*message/],
  ["a promise", () => Promise.resolve(1), /promise.*; await it/i],
])("%s, which JSON would empty,", (_, make, message) => {
  const rejected = expect.objectContaining({ code: "ERR_SSE_DATA", message: expect.stringMatching(message) });

  test.each<[string, (value: unknown) => unknown]>([
    ["as it is", (value) => value],
    ["in an object", (value) => ({ a: 1, value })],
    ["in a list", (value) => [[value]]],
  ])("is refused %s", async (_place, put) => {
    const data = put(make());
    expect(() => openWeb().source.dispatch("t", data)).toThrow(rejected);
    expect(() => new ServerSentEvent("t", data, { space: 2 })).toThrow(rejected);
    await using hub = createHub();
    await expect(hub.channel("a").dispatch("t", data)).rejects.toEqual(rejected);
  });

  test("is written as its toJSON() says, or a replacer", () => {
    const value = Object.assign(make() as object, { toJSON: () => "mine" });
    if (!(value instanceof Promise)) expect(serialize(value)).toBe('"mine"');
    expect(serialize({ value })).toBe('{"value":"mine"}');
    const data = { inner: make() };
    expect(serialize(data, (_key, found) => (found === data.inner ? 5 : found))).toBe('{"inner":5}');
  });
});

describe.each([...buffers, ...others])("%s", (_, make) => {
  test.each<[string, (data: unknown) => unknown]>([
    ["dispatch", (data) => openWeb().source.dispatch("t", data)],
    ["dispatchMessage", (data) => openWeb().source.dispatchMessage(data)],
    ["an event", (data) => new ServerSentEvent("t", data)],
    ["a set", (data) => new EventSourceSet([openWeb().source]).dispatch("t", data)],
    ["dispatch inside of an object", (data) => openWeb().source.dispatch("t", { list: [{ data }] })],
    ["dispatch with an indent", (data) => new ServerSentEvent("t", { data }, { space: 2 })],
  ])("is refused by %s", (_how, act) => {
    expect(() => act(make())).toThrow(bytesError);
  });

  test("is refused by a channel", async () => {
    await using hub = createHub();
    await expect(hub.channel("a").dispatch("t", make())).rejects.toThrow(bytesError);
  });

  test("may be given a form by a replacer", () => {
    const replacer = (_key: string, value: unknown) => (typeof value === "object" ? "a form" : value);
    expect(new ServerSentEvent("t", make(), { replacer }).data).toBe('"a form"');
  });
});

test.each([{}, [], { a: {} }, { "0": 1 }, [{ "0": {} }], { date: new Date(0) }])(
  "values without bytes are JSON as before: %j",
  (value) => {
    expect(new ServerSentEvent("t", value).data).toBe(JSON.stringify(value));
  },
);
