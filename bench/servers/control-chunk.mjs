// Control: no library, the chunk of HTTP/1.1 made once and written to each socket.
import { serve } from "./harness.mjs";
import { header, listenHttp } from "./http.mjs";

/** @type {Set<import("node:net").Socket>} */
const sockets = new Set();

function attach(/** @type {unknown} */ _req, /** @type {import("node:http").ServerResponse} */ res) {
  res.writeHead(200, header);
  res.write(": open\n\n");
  const { socket } = res;
  if (socket === null) return;
  sockets.add(socket);
  res.on("close", () => sockets.delete(socket));
}

function publish(/** @type {string} */ data) {
  const text = `event: tick\ndata: ${data}\n\n`;
  const chunk = Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`);
  for (const socket of sockets) socket.write(chunk);
}

await serve({ listen: () => listenHttp(attach, publish), publish });
