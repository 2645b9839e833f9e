// A server of Hono on @hono/node-server, which publishes what is posted to it.
import { serve } from "@hono/node-server";
import { Hono } from "hono";

/**
 * @param {(context: import("hono").Context) => Response} attach
 * @param {(data: string) => unknown} publish
 * @returns {Promise<number>}
 */
export function listenHono(attach, publish) {
  const app = new Hono();
  app.get("/events", attach);
  app.post("/publish", async (context) => {
    await publish(await context.req.text());
    return context.body(null, 204);
  });
  return new Promise((resolve) => {
    serve(
      { fetch: app.fetch, port: 0, hostname: "127.0.0.1", serverOptions: { keepAliveTimeout: 600_000 } },
      ({ port }) => resolve(port),
    );
  });
}
