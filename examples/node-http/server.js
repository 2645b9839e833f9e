import { createServer } from "node:http";
import { EventSourceSet } from "sourcecast";
import { openEventSource } from "sourcecast/node";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000).unref();

const page = `<!doctype html>
<title>sourcecast on node:http</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`;

createServer((req, res) => {
  if (req.url === "/events") clients.add(openEventSource(req, res));
  else if (req.url === "/") res.setHeader("content-type", "text/html; charset=utf-8").end(page);
  else res.writeHead(404).end("Not found\n");
}).listen(process.env.PORT ?? 3000, function () {
  console.log(`http://localhost:${this.address().port}`);
});
