/** Which methods get a stream, and the responses to the others: the same for a source and for a hub. */
import { describe, expect, test } from "vitest";
import { EventSource, type RequestLike } from "../../src/index.ts";
import { follow, joined, openHub } from "../support/hub.ts";
import { request } from "../support/web.ts";

const allowed = "GET, HEAD, POST, QUERY, OPTIONS";
const opening = ["GET", "POST", "QUERY"];
const others = ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get", ""];
const origin = { origin: "https://a.example" };

/** A request of any method, also of those that `Request` refuses to be made with. */
function asked(method: string, headers: Record<string, string> = {}): RequestLike {
  return { url: "http://localhost/", method, headers: new Headers(headers) };
}

describe("a source", () => {
  test.each(opening)("%s opens it", async (method) => {
    const source = new EventSource(asked(method));
    expect([source.readyState, source.response().status]).toEqual([EventSource.OPEN, 200]);
    await source.close();
  });

  test.each(others)("%j is answered 405, and it is closed from its start", async (method) => {
    const source = new EventSource(asked(method, origin), { cors: true });
    const { status, headers, body } = source.response();
    expect([source.closeReason, status, headers.get("allow")]).toEqual(["method not allowed", 405, allowed]);
    expect(headers.get("content-type")).toMatch(/^text\/plain/);
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(await new Response(body).text()).toContain(allowed);
  });

  test("OPTIONS without cors names the methods, and allows no other origin anything", () => {
    const source = new EventSource(asked("OPTIONS", origin));
    const { status, headers } = source.response();
    expect([source.readyState, status, headers.get("allow")]).toEqual([EventSource.CLOSED, 204, allowed]);
    expect([...headers.keys()]).toEqual(["allow"]);
  });

  test("HEAD is answered as GET would be: 406 where it is not acceptable", () => {
    const answers = ["GET", "HEAD"].map((method) =>
      new EventSource(asked(method, { accept: "text/html" }), { negotiate: true }).response(),
    );
    expect(answers.map(({ status }) => status)).toEqual([406, 406]);
    expect(answers[1]?.body).toBeNull();
    expect([...(answers[1]?.headers ?? [])]).toEqual([...(answers[0]?.headers ?? [])]);
  });
});

describe("a hub", () => {
  const limits = { connections: 1 };

  test.each([...others, "OPTIONS"])("%j does not ask authorize, opens nothing and takes no slot", async (method) => {
    const questions: string[] = [];
    const { hub } = openHub({ limits, authorize: ({ channel }) => questions.push(channel) > 0 });
    const response = await hub.response(asked(method), { channels: ["a"] });
    expect([response.status, response.headers.get("allow")]).toEqual([method === "OPTIONS" ? 204 : 405, allowed]);
    expect([questions, hub.stats()]).toMatchObject([[], { connections: 0, refused: {} }]);
  });

  test("HEAD is answered as GET would be: 200, 403, 204, and over a limit", async () => {
    const { hub } = openHub({ limits, authorize: ({ channel }) => channel !== "secret" });
    const end = await hub.channel("over").end();
    const ask = async (method: string, channel: string, options: object = {}) => {
      const init = { method, headers: channel === "over" ? { "last-event-id": end } : {} };
      const response = await hub.response(request(init), { channels: [channel], ...options });
      // A GET that gets a stream would keep its slot.
      if (method === "GET") await response.body?.cancel();
      const fields = [...response.headers].filter(([name]) => name !== "retry-after");
      return { status: response.status, fields, hasBody: response.body !== null };
    };
    for (const [channel, status] of [
      ["a", 200],
      ["secret", 403],
      ["over", 204],
    ] as const) {
      const [get, head] = [await ask("GET", channel), await ask("HEAD", channel)];
      expect(head).toEqual({ ...get, hasBody: false });
      expect(head.status).toBe(status);
    }
    await joined(hub, "a");
    expect(await ask("HEAD", "a", { rejectOverload: true })).toMatchObject({ status: 503, hasBody: false });
    expect(await ask("HEAD", "a")).toMatchObject({ status: 200, hasBody: false });
    expect(hub.stats().connections).toBe(1);
  });

  test("HEAD holds no slot while authorize is asked", async () => {
    const answers: ((may: boolean) => void)[] = [];
    const { hub } = openHub({ limits, authorize: () => new Promise((resolve) => answers.push(resolve)) });
    const head = hub.response(request({ method: "HEAD" }), { channels: ["a"] });
    expect([answers.length, hub.stats().connections]).toEqual([1, 0]);
    const client = follow(hub, "a");
    for (const answer of answers) answer(true);
    expect([(await head).status, (await client).status]).toEqual([200, 200]);
    expect(hub.stats().connections).toBe(1);
  });
});
