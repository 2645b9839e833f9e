import fastify from "fastify";
import { createHub, EventSourceSet } from "sourcecast";
import { endStreamsOnClose, openEventSource, respond } from "sourcecast/fastify";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000).unref();
const hub = createHub();

const app = fastify();
// app.close() would otherwise wait for the clients of open streams.
app.register(endStreamsOnClose);

app.get("/events", (request, reply) => {
  const source = openEventSource(request, reply);
  clients.add(source);
});

// With a hub, a client that reconnects receives what was published in between.
app.get("/news", (request, reply) => respond(hub, request, reply, { channels: ["news"] }));
app.post("/news", async (request) => ({ id: await hub.channel("news").dispatch("headline", request.body) }));

app.get("/", (_request, reply) => {
  reply.type("text/html; charset=utf-8").send(`<!doctype html>
<title>sourcecast on Fastify</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`);
});

console.log(await app.listen({ port: Number(process.env.PORT ?? 3000) }));
