// A server of node:http whose streams are opened by `attach`.
import { once } from "node:events";
import { createServer } from "node:http";

/** @param {(req: import("node:http").IncomingMessage, res: import("node:http").ServerResponse) => void} attach */
export async function listenHttp(attach) {
  const server = createServer(attach);
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 });
  await once(server, "listening");
  return /** @type {import("node:net").AddressInfo} */ (server.address()).port;
}

/** The header that the controls send: what a careful hand would write. */
export const header = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};
