import { EventSource, EventSourceSet } from "sourcecast";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000);

const page = `<!doctype html>
<title>sourcecast on Bun</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`;

const server = Bun.serve({
  port: process.env.PORT ?? 3000,
  routes: {
    "/": () => new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } }),
    "/events": (request) => {
      const source = new EventSource(request);
      clients.add(source);
      return source.response();
    },
  },
});
console.log(`http://localhost:${server.port}`);
