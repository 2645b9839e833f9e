// The server of the benchmarks of clients: bursts, streams that end at once, streams that fall silent.
import { once } from "node:events";
import { createServer } from "node:http";

const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
const data = JSON.stringify({ symbol: "ACME", price: 123.45, note: "x".repeat(60) });
const eventsPerBlock = 1_000;

/** Events with cursors of a hub as their ids, in blocks that are made once. @param {number} count */
function blocksOf(count) {
  return Array.from({ length: count / eventsPerBlock }, (_, block) => {
    const offset = block * eventsPerBlock;
    const event = (/** @type {number} */ n) => `event: price\nid: epoch.${offset + n + 1}.1\ndata: ${data}\n\n`;
    return Buffer.from(Array.from({ length: eventsPerBlock }, (_, n) => event(n)).join(""));
  });
}

/** @param {number} most events of a burst */
export async function startServer(most) {
  const blocks = blocksOf(most);
  const single = Buffer.from(`event: price\ndata: ${data}\n\n`);
  let streams = 0;
  const server = createServer(async (req, res) => {
    const url = new URL(req.url ?? "/", "http://localhost");
    const count = Number(url.searchParams.get("count"));
    if (url.pathname === "/page") {
      res.writeHead(200, { "content-type": "text/html" }).end("<!doctype html>");
      return;
    }
    streams++;
    res.writeHead(200, headers);
    if (url.pathname === "/burst") {
      for (const block of blocks.slice(0, count / eventsPerBlock)) if (!res.write(block)) await once(res, "drain");
    } else if (url.pathname === "/single") {
      // A chunk for each event, as in live delivery.
      for (let sent = 0; sent < count && !res.destroyed; sent++) {
        res.write(single);
        await new Promise(setImmediate);
      }
    } else if (url.pathname === "/end") res.end("retry: 1\nevent: price\nid: 1\ndata: x\n\n");
    else if (url.pathname === "/silent") {
      res.write(": keep-alive 1000\nretry: 1\nevent: price\ndata: x\n\n");
    }
  });
  server.on("clientError", (_, socket) => socket.destroy());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    origin: `http://127.0.0.1:${port}`,
    /** How many streams were opened. */
    get streams() {
      return streams;
    },
    async stop() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}
