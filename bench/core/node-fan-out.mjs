import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { EventSourceSet } from "sourcecast";
import { openEventSource } from "sourcecast/node";
import { compete } from "../lib/rounds.mjs";
import { printTable } from "../lib/table.mjs";

const connections = 1_000;
const dispatches = 50;
const data = "x".repeat(80);

/** One event to 1,000 connections over loopback: processor time of this process per delivery. */
export async function nodeFanOut() {
  const byHand = await open("by hand: response.write() on each", () => {
    /** @type {Set<import("node:http").ServerResponse>} */
    const responses = new Set();
    return {
      attach(_req, res) {
        res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache, no-transform" });
        res.write(": open\n\n");
        responses.add(res);
        res.on("close", () => responses.delete(res));
      },
      send() {
        const bytes = Buffer.from(`event: tick\ndata: ${data}\n\n`);
        for (const res of responses) res.write(bytes);
      },
    };
  });
  const bySet = await open("EventSourceSet.dispatch()", () => {
    const set = new EventSourceSet();
    return {
      attach: (req, res) => void set.add(openEventSource(req, res)),
      send: () => void set.dispatch("tick", data),
    };
  });
  printTable(`A delivery to one of ${connections} node sinks`, "ns", await compete([byHand, bySet], 15));
  byHand.close();
  bySet.close();
}

/**
 * A server, with all its connections held by another process.
 *
 * @param {string} name
 * @param {() => { attach(req: import("node:http").IncomingMessage, res: import("node:http").ServerResponse): void, send(): void }} make
 */
async function open(name, make) {
  const { attach, send } = make();
  const server = createServer(attach).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const readers = spawn(
    process.execPath,
    [new URL("../lib/readers.mjs", import.meta.url).pathname, String(port), String(connections)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  await once(readers.stdout, "data");
  return {
    name,
    async run() {
      const start = process.cpuUsage();
      for (let index = 0; index < dispatches; index++) {
        send();
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { user, system } = process.cpuUsage(start);
      return ((user + system) * 1_000) / (connections * dispatches);
    },
    close() {
      readers.kill();
      server.closeAllConnections();
      server.close();
    },
  };
}
