import { Elysia } from "elysia";
import { EventSource, EventSourceSet } from "sourcecast";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000);

const page = `<!doctype html>
<title>sourcecast on Elysia</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`;

new Elysia()
  .get("/events", ({ request }) => {
    const source = new EventSource(request);
    clients.add(source);
    return source.response();
  })
  .get("/", () => new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } }))
  .listen(process.env.PORT ?? 3000, ({ port }) => {
    console.log(`http://localhost:${port}`);
  });
