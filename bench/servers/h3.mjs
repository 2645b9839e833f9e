// h3: createEventStream() for each connection and a push in a loop, because it has no groups.
import { createEventStream, H3, serve as serveH3 } from "h3";
import { serve } from "./harness.mjs";

const app = new H3();
/** @type {Set<import("h3").EventStream>} */
const streams = new Set();

app.get("/events", (event) => {
  const stream = createEventStream(event);
  streams.add(stream);
  stream.onClosed(() => void streams.delete(stream));
  stream.push("open");
  return stream.send();
});

app.post("/publish", async (event) => {
  await publish(await event.req.text());
  return new Response(null, { status: 204 });
});

function publish(/** @type {string} */ data) {
  const message = { event: "tick", data };
  return Promise.all(Array.from(streams, (stream) => stream.push(message)));
}

await serve({
  async listen() {
    const server = serveH3(app, { port: 0, hostname: "127.0.0.1", silent: true });
    await server.ready();
    return Number(new URL(/** @type {string} */ (server.url)).port);
  },
  publish,
});
