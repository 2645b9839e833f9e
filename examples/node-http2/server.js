import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import { EventSourceSet } from "sourcecast";
import { openEventSource } from "sourcecast/node";

const clients = new EventSourceSet();
setInterval(() => clients.dispatch("time", new Date()), 1_000).unref();

const page = `<!doctype html>
<title>sourcecast on node:http2</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`;

// Browsers use HTTP/2 only over TLS. This creates a key and a certificate to try it:
// openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out cert.pem
const tls = {
  key: readFileSync(process.env.TLS_KEY ?? "key.pem"),
  cert: readFileSync(process.env.TLS_CERT ?? "cert.pem"),
};

// Without these settings a browser stops at 100 streams, and over HTTP/1.1 at six.
createSecureServer({ ...tls, allowHTTP1: true, settings: { maxConcurrentStreams: 4_096 } }, (req, res) => {
  if (req.url === "/events") clients.add(openEventSource(req, res));
  else if (req.url === "/") res.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page);
  else res.writeHead(404).end("Not found\n");
}).listen(process.env.PORT ?? 3000, function () {
  console.log(`https://localhost:${this.address().port}`);
});
