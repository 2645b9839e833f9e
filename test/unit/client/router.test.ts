// The router on its own: what a stream that has opened means for its position.
import { expect, test } from "vitest";
import { Router } from "../../../src/client/router.ts";
import type { Route } from "../../../src/client/stream-request.ts";
import { parseCursor } from "../../../src/wire/cursor.ts";

function routerAt(cursor: string, streamCursor: string): Router<never> {
  const router = new Router<never>(true, cursor, ["a"]);
  router.opened({ held: new Set(["a"]), joining: new Set(), label: false, cursor: streamCursor, guests: [] });
  return router;
}

function routeAt(cursor: string, channel = "a"): Route {
  return { channels: new Set([channel]), position: parseCursor(cursor), carried: false };
}

test("a stream that begins past the position, as that of another tab may, cannot serve a route in between", () => {
  const router = routerAt("e0.1.a", "e0.3.a");
  expect(router.cursor).toBe("e0.3.a");
  expect(router.isAhead(routeAt("e0.2.a"))).toBe(true);
  expect(router.isAhead(routeAt("e0.3.a"))).toBe(false);
});

test("a stream that begins before the position repeats events, and does not move the router back", () => {
  expect(routerAt("e0.3.a", "e0.1.a").cursor).toBe("e0.3.a");
});

test("a stream of a new client has no position yet", () => {
  const router = routerAt("e0.3.a", "");
  expect([router.cursor, router.hasPosition]).toEqual(["", false]);
});

test("events of other channels do not put a stream ahead of a route", () => {
  const router = new Router<never>(true, "e0.1.a", ["a", "b"]);
  router.opened({ held: new Set(["a", "b"]), joining: new Set(), label: true, cursor: "e0.1.a", guests: [] });
  const receive = (id: string, channel: string): void =>
    router.receive({ type: "x", data: "", id, lastEventId: id, channel }, () => {});
  receive("e0.2.a", "a");
  receive("e0.5.a", "b");
  expect(router.isAhead(routeAt("e0.2.a", "a"))).toBe(false);
  expect(router.isAhead(routeAt("e0.2.a", "b"))).toBe(true);
  expect(router.isAhead(routeAt("e0.1.a", "a"))).toBe(true);
});
