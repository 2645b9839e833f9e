// channelsOf(): the channels that a request names, as far as the application allows them.
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { channelsOf } from "../../../src/hub/channels-of.ts";
import { joined, openHub } from "../../support/hub.ts";
import { request } from "../../support/web.ts";

const form = { "content-type": "application/x-www-form-urlencoded;charset=UTF-8" };
const anything = { allow: () => true };

const post = (body: string, query = "") => request({ method: "POST", body, headers: form, query });

/** A request of `node:http`, with a body in two pieces. */
function nodeRequest(url: string, body: string, extra: object = {}) {
  const middle = body.length >> 1;
  const stream = Readable.from([Buffer.from(body.slice(0, middle)), Buffer.from(body.slice(middle))]);
  return Object.assign(stream, { url, method: "POST", headers: form, ...extra });
}

/** A request of `node:http` whose body has begun. */
function unfinished(begin?: string) {
  const stream = new Readable({ read() {} });
  if (begin !== undefined) stream.push(begin);
  return Object.assign(stream, { url: "/", method: "POST", headers: form });
}

describe("channelsOf", () => {
  test("reads held and joining channels and the label from the query, each once", async () => {
    const query = "?channel=a&join=b%20c&channel=%C3%A9&channel=a&join=a&label=1&other=x#channel=z";
    expect(await channelsOf(request({ query }), anything)).toEqual({
      channels: ["a", "é"],
      join: ["b c"],
      label: true,
    });
    expect(await channelsOf(request({ query: "?channel=a&label=yes" }), anything)).toEqual({ channels: ["a"] });
    expect(await channelsOf(request(), anything)).toEqual({ channels: [] });
  });

  test.each([
    ["of the fetch standard", () => post("channel=b&join=%C3%A9&label=1", "?channel=a")],
    ["of node:http", () => nodeRequest("/events?channel=a", "channel=b&join=%C3%A9&label=1")],
    [
      "of Express, below a router, with its parser",
      () => nodeRequest("/", "", { originalUrl: "/x?channel=a", body: { channel: "b", join: ["é"], label: "1" } }),
    ],
    [
      "with many fields, that a parser has made an object of",
      () => nodeRequest("/?channel=a", "", { body: { channel: { 0: "b" }, join: { 0: "é" }, label: "1" } }),
    ],
    ["that was read as text", () => nodeRequest("/?channel=a", "", { body: "channel=b&join=%C3%A9&label=1" })],
  ])("adds the fields of the form of a POST %s", async (_, make) => {
    expect(await channelsOf(make(), anything)).toEqual({ channels: ["a", "b"], join: ["é"], label: true });
  });

  test("leaves any other body alone", async () => {
    const json = request({ method: "POST", body: '{"channel":"b"}', headers: { "content-type": "application/json" } });
    expect(await channelsOf(json, anything)).toEqual({ channels: [] });
    expect(json.bodyUsed).toBe(false);
  });

  test("takes no field of a form that was cut", async () => {
    const broken = unfinished();
    const fields = channelsOf(broken, anything);
    broken.push("channel=a");
    broken.destroy();
    expect(await fields).toEqual({ channels: [] });
  });

  test.each([
    ["of the fetch standard", (body: string) => post(body, "?channel=b")],
    ["of node:http", (body: string) => nodeRequest("/?channel=b", body)],
  ])("a form that is too long is answered with 413, whatever is in the query: %s", async (_, make) => {
    const { hub } = openHub();
    const asked = await channelsOf(make(`channel=a&x=${"x".repeat(1024 ** 2)}`), anything);
    expect(asked).toEqual({ channels: [] });
    const response = await hub.response(request(), { ...asked, sender: "tab" });
    expect([response.status, await response.text()]).toEqual([
      413,
      expect.stringMatching(/^The form .* longer .*; .*\n$/),
    ]);
  });

  describe("a form that does not end", () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
    afterEach(() => void vi.useRealTimers());

    const body = (bytes: number) =>
      new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(bytes)) });
    const streamed = (bytes: number) =>
      request({ method: "POST", body: body(bytes), headers: form, query: "?channel=a", duplex: "half" } as RequestInit);

    test.each([
      ["of the fetch standard", 408, () => streamed(1)],
      ["of node:http", 408, () => unfinished("channel=a")],
      ["of the fetch standard, of too many bytes", 413, () => streamed(1024 ** 2 + 1)],
      ["of node:http, of too many bytes", 413, () => unfinished("x".repeat(1024 ** 2 + 1))],
    ])("has a deadline: %s", async (_, status, make) => {
      const { hub } = openHub();
      const asking = channelsOf(make(), anything);
      let isSettled = false;
      void asking.then(() => {
        isSettled = true;
      });
      await vi.advanceTimersByTimeAsync(9_999);
      expect(isSettled).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      const response = await hub.response(request(), await asking);
      expect([response.status, response.headers.get("connection")]).toEqual([status, "close"]);
      expect(await response.text()).toMatch(/^The form of the request .*; .*\n$/);
    });

    test("leaves no timer when the form ends", async () => {
      await channelsOf(post("channel=a"), anything);
      await channelsOf(nodeRequest("/", "channel=a"), anything);
      expect(vi.getTimerCount()).toBe(0);
    });
  });

  test("says so when the form was read before", async () => {
    const web = post("channel=a");
    await web.text();
    const node = nodeRequest("/", "channel=a");
    await node.toArray();
    for (const read of [web, node]) {
      await expect(channelsOf(read, anything)).rejects.toMatchObject({ code: "ERR_SSE_ARGUMENT" });
    }
  });

  test.each([
    ["news", true],
    ["orders/7", true],
    ["orders/*", true],
    ["orders/7/*", false],
    ["order*", false],
    ["other", false],
    ["*", false],
    ["new*", false],
  ])(
    "with a list allows names, names under a prefix, and a prefix only as it is listed: %s is %s",
    async (name, isAllowed) => {
      const query = `?channel=${encodeURIComponent(name)}`;
      const expected = isAllowed ? { channels: [name] } : { channels: [], forbidden: [name] };
      expect(await channelsOf(request({ query }), { allow: ["news", "orders/*"] })).toEqual(expected);
    },
  );

  test("with a function asks for each name, and takes true alone for a yes", async () => {
    const asked: string[] = [];
    const allow = async (channel: string) => {
      asked.push(channel);
      return (channel === "b" ? 1 : channel !== "c") as boolean;
    };
    expect(await channelsOf(request({ query: "?channel=a&channel=b&join=c&join=d*&channel=*" }), { allow })).toEqual({
      channels: ["a"],
      forbidden: ["b", "*", "c", "d*"],
    });
    expect(asked).toEqual(["a", "b", "c"]);
    const failing = channelsOf(request({ query: "?channel=a" }), {
      allow: () => Promise.reject(new Error("No database")),
    });
    await expect(failing).rejects.toThrow("No database");
  });

  test.each(["s*", "sec*", "secret*", "secret1*", "*"])(
    "no request gets the events of a channel that a function rejects, by the prefix %s",
    async (prefix) => {
      const { hub } = openHub();
      await hub.channel("secret1").dispatch("t", "hidden");
      for (const field of ["channel", "join"]) {
        const query = `?channel=news&label=1&lastEventId=0.0.0&${field}=${encodeURIComponent(prefix)}`;
        const asked = await channelsOf(request({ query }), { allow: (name) => !name.startsWith("secret") });
        expect(asked).toEqual({ channels: ["news"], forbidden: [prefix], label: true });
        const client = await joined(hub, { ...asked, from: "start" });
        await hub.channel("secret1").dispatch("t", "hidden");
        await hub.channel("news").dispatch("t", "shown");
        await client.settle();
        expect(client.chunks.join("")).toContain("shown");
        expect(client.chunks.join("")).not.toContain("hidden");
      }
    },
  );

  test("does not ask about names that are not valid, nor about thousands: the hub rejects the request", async () => {
    const allow = () => {
      throw new Error("Asked");
    };
    const invalid = await channelsOf(request({ query: "?channel=a%0Ab&channel=" }), { allow });
    const { hub, errors } = openHub();
    expect((await joined(hub, invalid)).status).toBe(400);
    const many = Array.from({ length: 1_001 }, (_, index) => `channel=${index}`).join("&");
    const thousands = await channelsOf(post(many), { allow });
    expect((await joined(hub, { ...thousands, label: true })).later?.reason).toBe("channels");
    expect(errors).toEqual([]);
  });

  test.each([
    ["", "The request names no channel; add one to the address, as in ?channel=news\n"],
    ["?channels=news", "The request names no channel; add one to the address, as in ?channel=news\n"],
    ["?channel=", 'The channel name "" is not a valid name; pass a non-empty string\n'],
    ["?join=a*b", 'The channel name "a*b" has a * inside; a * may only be the last character\n'],
  ])("a visitor with the address /events%s is told what is wrong, and fills no error log", async (query, text) => {
    const { hub, errors } = openHub();
    const response = await hub.response(request({ query }), await channelsOf(request({ query }), { allow: ["a"] }));
    expect([response.status, await response.text(), errors]).toEqual([400, text, []]);
  });

  test("names that the application has added are its own: a mistake in them is reported, and not told to clients", async () => {
    const { hub, errors } = openHub();
    const asked = await channelsOf(request({ query: "?channel=a" }), { allow: ["a"] });
    const response = await hub.response(request(), { ...asked, channels: [...asked.channels, "secret*name"] });
    expect([response.status, await response.text()]).toEqual([400, expect.not.stringContaining("secret")]);
    expect(errors.splice(0)).toHaveLength(1);
  });

  test.each([
    ["nothing", undefined],
    ["an empty object", {}],
    ["a string", { allow: "news" }],
    ["everything", { allow: ["*"] }],
    ["an invalid name", { allow: ["a\nb"] }],
    ["an unknown option", { allow: [], allowed: [] }],
  ])("rejects %s as options", async (_, options) => {
    await expect(channelsOf(request(), options as never)).rejects.toMatchObject({ code: "ERR_SSE_OPTION" });
  });

  test.each([
    [["news", "*"], 'has the name "*", which is every channel; list the names and prefixes that the client may follow'],
    [["a*b"], 'has the name "a*b", which has a * inside; a * may only be the last character'],
    [["news", ""], 'has the name "", which is not a valid name; pass a non-empty string'],
    [[5], "has the name 5, which is not a valid name; pass a non-empty string"],
    ["news", 'is "news"; it takes a list of channel names and of prefixes such as "orders/*", or a function that '],
  ])("says what is wrong with the list %j", async (allow, message) => {
    await expect(channelsOf(request(), { allow: allow as string[] })).rejects.toMatchObject({
      code: "ERR_SSE_OPTION",
      message: expect.stringContaining(`The option allow of channelsOf() ${message}`),
    });
  });

  test("rejects anything but a request", async () => {
    for (const wrong of [null, {}, { url: "/", headers: null }, { url: 1, headers: {} }]) {
      await expect(channelsOf(wrong as never, anything)).rejects.toMatchObject({ code: "ERR_SSE_ARGUMENT" });
    }
  });
});
