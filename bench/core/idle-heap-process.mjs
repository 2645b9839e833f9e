// Prints the bytes of heap per idle connection, with 10,000 of them: node --expose-gc idle-heap-process.mjs web|node "by hand"|sourcecast
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { EventSource, EventSourceSet } from "sourcecast";
import { openEventSource } from "sourcecast/node";

const [kind, who] = process.argv.slice(2);
const count = 10_000;
const set = new EventSourceSet();
/** @type {unknown[]} */
const kept = [];

// The server has created the request, the socket and the response in both variants.
const exchanges = Array.from({ length: count }, () => {
  if (kind === "web") return { request: new Request("http://localhost/") };
  const socket = new Socket();
  socket._write = (_chunk, _encoding, done) => done();
  socket._writev = (_chunks, done) => done();
  const req = new IncomingMessage(socket);
  req.httpVersionMajor = req.httpVersionMinor = 1;
  const res = new ServerResponse(req);
  res.assignSocket(socket);
  return { req, res };
});

const before = await heap();
for (const { request, req, res } of exchanges) {
  if (who === "sourcecast") set.add(request ? respond(request) : openEventSource(req, res));
  else if (request) byHandOnWeb();
  else byHandOnNode(res);
}
const after = await heap();
console.log((after - before) / count);
process.exit(exchanges.length + kept.length + set.size > 0 ? 0 : 1);

/** @param {Request} request */
function respond(request) {
  const source = new EventSource(request);
  kept.push(source.response());
  return source;
}

function byHandOnWeb() {
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(": open\n\n"));
      kept.push(controller);
    },
    cancel() {},
  });
  kept.push(new Response(stream, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } }));
}

/** @param {ServerResponse} res */
function byHandOnNode(res) {
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  res.write(": open\n\n");
  res.on("close", () => kept.splice(kept.indexOf(res), 1));
  kept.push(res);
}

async function heap() {
  for (let index = 0; index < 5; index++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}
