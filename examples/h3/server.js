import { H3, html, serve } from "h3";
import { EventSource, EventSourceSet } from "sourcecast";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000).unref();

const app = new H3();

app.get("/events", (event) => {
  const source = new EventSource(event.req);
  clients.add(source);
  return source.response();
});

app.get(
  "/",
  () => html`<!doctype html>
<title>sourcecast on h3</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`,
);

serve(app, { port: process.env.PORT ?? 3000 });
