// Hono's streamSSE() on @hono/node-server: a stream for each connection and a write in a loop, because it has no groups.
import { streamSSE } from "hono/streaming";
import { serve } from "./harness.mjs";
import { listenHono } from "./hono.mjs";

/** @type {Set<import("hono/streaming").SSEStreamingApi>} */
const streams = new Set();

function attach(/** @type {import("hono").Context} */ context) {
  return streamSSE(context, async (stream) => {
    streams.add(stream);
    await stream.writeSSE({ event: "open", data: "" });
    await new Promise((resolve) => stream.onAbort(() => resolve(undefined)));
    streams.delete(stream);
  });
}

function publish(/** @type {string} */ data) {
  const message = { event: "tick", data };
  return Promise.all(Array.from(streams, (stream) => stream.writeSSE(message)));
}

await serve({ listen: () => listenHono(attach, publish), publish });
