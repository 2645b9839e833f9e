// One process of the cluster: node server.js NAME, with PORT, HOST, STORE and STORE_URL in its environment. The supervisor starts it.
import { createServer } from "node:http";
import { createHub } from "sourcecast";
import { respond } from "sourcecast/node";
import { files, renderPage } from "./files.js";
import { openLog } from "./log.js";
import { Publisher } from "./publisher.js";

const name = process.argv[2] ?? "a";
const { PORT = "3000", HOST = "127.0.0.1", STORE = "sqlite", STORE_URL = "cluster.db" } = process.env;

const log = await openLog(STORE, STORE_URL);
// Clients of a process that was killed are back within a second. By default it takes a little longer, to spread them.
const hub = createHub({ log, closeOnSignal: false, keepAlive: "5s", retry: ["200ms", "800ms"] });
const ticks = hub.channel("ticks");
const publisher = new Publisher(ticks, name, () => hub.stats().connections);

// The control of the page's claims: this process reads the channel, too, and counts each publisher's events.
const published = {};
ticks.subscribe(
  ({ type, data }) => {
    if (type !== "tick") return;
    const { life, number } = JSON.parse(data);
    published[life] = number;
  },
  { from: "start" },
);

const server = createServer(async (req, res) => {
  const { pathname } = new URL(req.url ?? "/", "http://localhost");
  if (pathname === "/events") {
    return void respond(hub, req, res, { channels: ["ticks", "processes"], headers: { "x-process": name } });
  }
  if (pathname === "/") return void send(res, "text/html; charset=utf-8", renderPage(STORE));
  if (pathname === "/published") return void send(res, "application/json", JSON.stringify({ name, published }));
  if (pathname === "/burst" && req.method === "POST") {
    await publisher.publish(100);
    return void res.writeHead(204).end();
  }
  const file = files.get(pathname);
  if (file !== undefined) return void send(res, file.type, file.body);
  res.writeHead(404).end("There is nothing here");
});

server.listen(Number(PORT), HOST, () => {
  process.send?.("listening");
  publisher.run();
});

// Drain: nginx sends new requests elsewhere, and the clients leave one by one.
process.once("SIGTERM", async () => {
  server.close();
  await publisher.stop();
  await hub.drain({ within: "2s" });
  await hub.close();
  process.exit();
});
// A process of the cluster does not outlive its supervisor.
process.once("disconnect", () => process.exit());

function send(res, type, body) {
  res.writeHead(200, { "content-type": type, "cache-control": "no-store" }).end(body);
}
