import { describe, expect, test } from "vitest";
import type { CorsDetails } from "../../src/http/cors.ts";
import { type CorsOptions, createHub, EventSource } from "../../src/index.ts";
import { openWeb, request } from "../support/web.ts";

const a = "https://a.example";
const b = "https://b.example";

function headersFor(cors: CorsOptions | undefined, origin: string | null, method = "GET", more = {}): Response {
  const headers: Record<string, string> = origin === null ? more : { origin, ...more };
  const { source, response } = openWeb(cors === undefined ? {} : { cors }, { method, headers });
  void source.close();
  return response;
}

describe("rule 22: pages of other origins may read the stream where the option cors allows it:", () => {
  test.each<[CorsOptions | undefined, string | null, string | null]>([
    [undefined, a, null],
    [true, a, "*"],
    [true, null, "*"],
    ["*", a, "*"],
    [{ origin: "*" }, a, "*"],
    [a, a, a],
    [a, b, null],
    [a, null, null],
    [[a, b], b, b],
    [[], a, null],
    [{ origin: [a] }, a, a],
    [{ origin: true, credentials: false }, a, "*"],
    [{ origin: [a, b], credentials: true }, a, a],
    [{ origin: a, credentials: true }, b, null],
    // Every sandboxed page has the origin "null", so it gets no cookies unless a list names it.
    [{ origin: a, credentials: true }, "null", null],
    [{ origin: [a, b], credentials: true }, `${a}, ${b}`, null],
    [{ origin: [a], credentials: true }, "", null],
    [{ origin: ["null"], credentials: true }, "null", "null"],
    [true, "null", "*"],
  ])("%j for %s", (cors, origin, allowed) => {
    expect(headersFor(cors, origin).headers.get("access-control-allow-origin")).toBe(allowed);
  });

  test("with credentials the origin is named and never a star", () => {
    const { headers } = headersFor({ origin: [a, b], credentials: true }, a);
    expect(headers.get("access-control-allow-credentials")).toBe("true");
    expect(headers.get("access-control-allow-origin")).toBe(a);
  });

  test.each<CorsDetails["origin"]>([true, "*", ["*"], [a, "*"]])(
    "with credentials the origin %j throws, and allows nothing",
    async (origin) => {
      const cors = { origin, credentials: true };
      const rejected = { code: "ERR_SSE_OPTION", message: expect.stringMatching(/cors .*; .*https:/) };
      expect(() => openWeb({ cors })).toThrow(expect.objectContaining(rejected));
      await using hub = createHub();
      await expect(hub.response(request(), { channels: ["a"], cors })).rejects.toMatchObject(rejected);
    },
  );

  test.each([a, b, null])("caches are told that the answer depends on the origin, for %s", (origin) => {
    expect(headersFor([a], origin).headers.get("vary")).toBe("Origin");
  });

  const asked = "x-api-key, traceparent,baggage , X-Requested-With, mcp-protocol-version, last-event-id";
  const askedFor = (cors: CorsOptions, from: string) =>
    headersFor(cors, from, "OPTIONS", { "access-control-request-headers": asked }).headers;
  const standard = "Last-Event-ID, Authorization, Cache-Control, Content-Type";

  test.each<CorsOptions>([true, a, [a], { origin: [a], credentials: true }])(
    "a preflight from an allowed origin is allowed the headers that it asks for: %j",
    (cors) => {
      const headers = askedFor(cors, a);
      expect(headers.get("access-control-allow-headers")).toBe(
        `${standard}, x-api-key, traceparent, baggage, X-Requested-With, mcp-protocol-version`,
      );
      const origins = cors === true ? [] : ["Origin"];
      expect(headers.get("vary")?.split(", ")).toEqual([...origins, "Access-Control-Request-Headers"]);
    },
  );

  test("cors.headers names the headers that are allowed in addition to the standard ones", () => {
    const headers = askedFor({ origin: a, headers: ["X-Api-Key", "content-type", "x-mine"] }, a);
    expect(headers.get("access-control-allow-headers")).toBe(`${standard}, X-Api-Key, x-mine`);
    expect(headers.get("vary")).toBe("Origin");
    expect(askedFor({ origin: true, headers: [] }, a).get("vary")).toBeNull();
  });

  test("a preflight from another origin is allowed nothing", () => {
    expect([...askedFor([a], b)]).toEqual([
      ["allow", "GET, HEAD, POST, QUERY, OPTIONS"],
      ["vary", "Origin"],
    ]);
  });

  test("the names in a preflight cannot put anything else into the response", () => {
    const headers = headersFor(true, a, "OPTIONS", { "access-control-request-headers": "x-a, b c, (d), \xe9, , x-e" });
    expect(headers.headers.get("access-control-allow-headers")).toBe(`${standard}, x-a, x-e`);
  });

  test("OPTIONS is answered 204 with all that clients of event streams send", () => {
    const response = headersFor(true, a, "OPTIONS");
    expect(response.status).toBe(204);
    expect(response.body).toBe(null);
    const allowed = response.headers.get("access-control-allow-headers")?.toLowerCase().split(/, */);
    expect(allowed).toEqual(
      expect.arrayContaining(["last-event-id", "authorization", "cache-control", "content-type"]),
    );
    expect(response.headers.get("access-control-allow-methods")).toMatch(/GET.*POST/);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.has("content-type")).toBe(false);
  });

  test("OPTIONS leaves a source that is closed from its start", () => {
    const { source } = openWeb({ cors: true }, { method: "OPTIONS" });
    expect([source.readyState, source.dispatch("t")]).toEqual([EventSource.CLOSED, false]);
  });

  test("maxAge is how long a browser may remember the permission, in seconds", () => {
    const { response } = openWeb({ cors: { origin: true, maxAge: 5 } }, { method: "OPTIONS", headers: { origin: a } });
    expect(response.headers.get("access-control-max-age")).toBe("5");
  });
});
