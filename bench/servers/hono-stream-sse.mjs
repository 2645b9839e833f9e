// Hono's streamSSE() on @hono/node-server: a stream for each connection, written to in a loop, as it has no group.
import { serve as serveHono } from "@hono/node-server";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { serve } from "./harness.mjs";

const app = new Hono();
/** @type {Set<import("hono/streaming").SSEStreamingApi>} */
const streams = new Set();

app.get("/events", (context) =>
  streamSSE(context, async (stream) => {
    streams.add(stream);
    await stream.writeSSE({ event: "open", data: "" });
    await new Promise((resolve) => stream.onAbort(() => resolve(undefined)));
    streams.delete(stream);
  }),
);

await serve({
  listen: () =>
    new Promise((resolve) => {
      serveHono({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => resolve(port));
    }),
  publish(data) {
    const message = { event: "tick", data };
    return Promise.all(Array.from(streams, (stream) => stream.writeSSE(message)));
  },
});
