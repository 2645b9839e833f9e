// The router on its own: what a stream that has opened means for its position.
import { describe, expect, test } from "vitest";
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

describe("the index of routes by channel", () => {
  let offset = 0;

  function openRouter(): { router: Router<Route>; receivedBy(route: Route): string[]; send(channel: string): void } {
    const router = new Router<Route>(true, "", []);
    const held = new Set(["a", "b", "orders/*"]);
    router.opened({ held, joining: new Set(), label: true, cursor: "", guests: [] });
    const received = new Map<Route, string[]>();
    const receivedBy = (route: Route): string[] => received.get(route) ?? [];
    return {
      router,
      receivedBy,
      send(channel) {
        const id = `e0.${++offset}.a`;
        router.receive({ type: "x", data: "", id, lastEventId: id, channel }, (route) => {
          received.set(route, [...receivedBy(route), channel]);
        });
      },
    };
  }

  function follow(router: Router<Route>, ...channels: string[]): Route {
    const route: Route = { channels: new Set(channels), position: null, carried: false };
    router.routes.add(route);
    router.attach(route);
    return route;
  }

  test("notices routes that come and go, and channels that end", () => {
    const { router, receivedBy, send } = openRouter();
    const [one, all] = [follow(router, "a"), follow(router, "a", "orders/*")];
    for (const channel of ["a", "orders/1", "orders/2", "b"]) send(channel);
    const later = follow(router, "orders/*");
    router.routes.delete(one);
    for (const channel of ["a", "orders/1"]) send(channel);
    expect([one, all, later].map(receivedBy)).toEqual([
      ["a"],
      ["a", "orders/1", "orders/2", "a", "orders/1"],
      ["orders/1"],
    ]);
    router.receive(
      { type: "sse:end", data: '{"channel":"orders/*"}', id: undefined, lastEventId: "", channel: undefined },
      () => {},
    );
    send("orders/1");
    expect([all, later].map((route) => receivedBy(route).length)).toEqual([5, 1]);
  });

  test("leaves out a route that an event has removed", () => {
    const { router, send } = openRouter();
    const [first, second] = [follow(router, "a"), follow(router, "a")];
    send("a");
    const served: Route[] = [];
    const id = `e0.${++offset}.a`;
    router.receive({ type: "x", data: "", id, lastEventId: id, channel: "a" }, (route) => {
      served.push(route);
      router.routes.delete(second);
    });
    expect(served).toEqual([first]);
  });

  test("looks at other routes for the first event of a channel alone, as long as it knows the channel", () => {
    const { router, receivedBy, send } = openRouter();
    let looks = 0;
    const other: Route = {
      channels: new (class extends Set<string> {
        override [Symbol.iterator](): SetIterator<string> {
          looks++;
          return super[Symbol.iterator]();
        }
      })(["b"]),
      position: null,
      carried: true,
    };
    router.routes.add(other);
    const route = follow(router, "a", "orders/*");
    looks = 0;
    for (let n = 0; n < 100; n++) send("a");
    expect(looks).toBe(1);
    // The names below a prefix have no bound, and the index has one.
    for (let n = 0; n < 1_100; n++) send(`orders/${n}`);
    looks = 0;
    send("orders/1");
    expect(looks).toBe(1);
    expect(receivedBy(route)).toHaveLength(1_201);
    expect(receivedBy(other)).toEqual([]);
  });
});
