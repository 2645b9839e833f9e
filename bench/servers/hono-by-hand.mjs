// Control for web responses: no library but Hono's server, a lean stream for each connection.
import { serve as serveHono } from "@hono/node-server";
import { Hono } from "hono";
import { serve } from "./harness.mjs";
import { header } from "./http.mjs";

const app = new Hono();
/** @type {Set<ReadableStreamDefaultController<Uint8Array>>} */
const controllers = new Set();
const encoder = new TextEncoder();

app.get("/events", () => {
  /** @type {ReadableStreamDefaultController<Uint8Array>} */
  let controller;
  const body = new ReadableStream({
    start(given) {
      controller = given;
      controllers.add(controller);
      controller.enqueue(encoder.encode(": open\n\n"));
    },
    cancel: () => void controllers.delete(controller),
  });
  return new Response(body, { headers: header });
});

await serve({
  listen: () =>
    new Promise((resolve) => {
      serveHono({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => resolve(port));
    }),
  publish(data) {
    const bytes = encoder.encode(`event: tick\ndata: ${data}\n\n`);
    for (const controller of controllers) controller.enqueue(bytes);
  },
});
