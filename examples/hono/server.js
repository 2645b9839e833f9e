import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { EventSource, EventSourceSet } from "sourcecast";
import { channels } from "./channels.js";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000).unref();

const app = new Hono();

app.get("/events", (c) => {
  const source = new EventSource(c.req.raw);
  clients.add(source);
  return source.response();
});

app.route("/channels", channels);

app.get("/", (c) =>
  c.html(`<!doctype html>
<title>sourcecast on Hono</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`),
);

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`http://localhost:${port}`);
});
