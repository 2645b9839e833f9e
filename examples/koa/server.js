import Koa from "koa";
import { EventSourceSet } from "sourcecast";
import { openEventSource } from "sourcecast/node";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000).unref();

const app = new Koa();

// Koa reports a client that disconnects during a response as an error, and would print it.
app.on("error", (error) => {
  if (!["ECONNRESET", "EPIPE"].includes(error.code)) app.onerror(error);
});

app.use((ctx) => {
  if (ctx.path === "/events") {
    clients.add(openEventSource(ctx.req, ctx.res));
    // Koa must not write to this response.
    ctx.respond = false;
  } else if (ctx.path === "/") {
    ctx.body = `<!doctype html>
<title>sourcecast on Koa</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`;
  }
});

app.listen(process.env.PORT ?? 3000, function () {
  console.log(`http://localhost:${this.address().port}`);
});
