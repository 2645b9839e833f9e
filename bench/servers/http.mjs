// A server of node:http that opens streams by `attach` and publishes what is posted to it.
import { once } from "node:events";
import { createServer } from "node:http";

/**
 * @param {(req: import("node:http").IncomingMessage, res: import("node:http").ServerResponse) => void} attach
 * @param {(data: string) => unknown} publish
 */
export async function listenHttp(attach, publish) {
  const server = createServer(async (req, res) => {
    if (req.method === "GET") return attach(req, res);
    let data = "";
    for await (const part of req.setEncoding("latin1")) data += part;
    await publish(data);
    res.writeHead(204).end();
  });
  // A publisher that waits for a long fan-out must not be cut off when it posts again.
  server.keepAliveTimeout = 600_000;
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 });
  await once(server, "listening");
  return /** @type {import("node:net").AddressInfo} */ (server.address()).port;
}

/** The headers of the controls, as a careful programmer would write them. */
export const header = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};
