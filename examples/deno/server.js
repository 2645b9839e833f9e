import { EventSource, EventSourceSet } from "sourcecast";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000);

const page = `<!doctype html>
<title>sourcecast on Deno</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`;

Deno.serve({ port: Number(Deno.env.get("PORT") ?? 3000) }, (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/") return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
  if (pathname !== "/events") return new Response("Not found\n", { status: 404 });
  const source = new EventSource(request);
  clients.add(source);
  return source.response();
});
