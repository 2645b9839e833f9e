import { describe, expect, test } from "vitest";
import { follow, joined, openHub } from "../../support/hub.ts";
import { request } from "../../support/web.ts";

const origin = { origin: "https://example.com" };

describe("a route of a hub", () => {
  test("answers with the headers of an event stream, and those that were added", async () => {
    const { hub } = openHub({ keepAlive: "20s", retry: [1_000, 1_001] });
    const client = await joined(hub, { channels: ["a"], headers: { "X-Extra": 1, "cache-control": null } });
    const headers = Object.fromEntries(client.response.headers);
    expect(headers).toEqual({
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
      "x-extra": "1",
    });
    expect(client.parser.comments).toEqual(["keep-alive 20000"]);
    expect([1_000, 1_001]).toContain(client.parser.retry);
    expect(Object.keys(Object.fromEntries((await joined(hub, "a")).response.headers))).toContain("cache-control");
  });

  test("answers OPTIONS of other origins, with what a client of a hub sends", async () => {
    const { hub } = openHub({ authorize: () => false });
    const response = await hub.response(request({ method: "OPTIONS", headers: origin }), {
      channels: ["a"],
      cors: true,
    });
    expect([response.status, await response.text()]).toEqual([204, ""]);
    expect(response.headers.get("access-control-allow-headers")).toMatch(/Last-Event-ID/);
    expect(hub.stats()).toMatchObject({ connections: 0, refused: {} });
  });

  test("answers HEAD with the headers and no stream", async () => {
    const { hub } = openHub();
    const response = await hub.response(request({ method: "HEAD" }), { channels: ["a"] });
    expect([response.status, response.headers.get("content-type"), response.body]).toEqual([
      200,
      "text/event-stream",
      null,
    ]);
    expect(hub.stats().connections).toBe(0);
  });

  test("lets pages of other origins read each of its responses: the stream, 403, 204, and rejections", async () => {
    const { hub } = openHub({ authorize: ({ channel }) => channel !== "secret", limits: { connections: 1 } });
    const end = await hub.channel("over").end();
    const cors = { origin: "https://example.com", credentials: true };
    const answers = [
      await follow(hub, { channels: ["secret"], cors }, { headers: origin }),
      await follow(hub, { channels: ["over"], cors }, { headers: origin, lastEventId: end }),
      await joined(hub, { channels: ["a"], cors }, { headers: origin }),
      await follow(hub, { channels: ["a"], cors }, { headers: origin }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([403, 204, 200, 200]);
    expect(answers.map(({ response: { headers } }) => headers.get("access-control-allow-origin"))).toEqual(
      Array(4).fill("https://example.com"),
    );
    await answers[3]?.end();
  });

  test("takes POST", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "a", { method: "POST", body: "{}" });
    await hub.channel("a").dispatch("n", 1);
    expect((await client.settle()).data).toEqual(["1"]);
  });

  test.each([undefined, null, {}, { url: "/", headers: {} }, "http://localhost"])(
    "refuses %j as its request",
    async (wrong) => {
      const { hub } = openHub();
      await expect(hub.response(wrong as never, { channels: ["a"] })).rejects.toMatchObject({
        code: "ERR_SSE_ARGUMENT",
      });
    },
  );
});
