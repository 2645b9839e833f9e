// sourcecast: an EventSourceSet on Hono with @hono/node-server, through web responses.
import { serve as serveHono } from "@hono/node-server";
import { Hono } from "hono";
import { EventSource, EventSourceSet } from "sourcecast";
import { serve } from "./harness.mjs";

const app = new Hono();
const set = new EventSourceSet();

app.get("/events", (context) => {
  const source = new EventSource(context.req.raw);
  set.add(source);
  return source.response();
});

await serve({
  listen: () =>
    new Promise((resolve) => {
      serveHono({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => resolve(port));
    }),
  publish: (data) => set.dispatch("tick", data),
});
