// Control for reconnects: no library. The last hundred events are one buffer, which is sent to a client with an id.
import { serve } from "./harness.mjs";
import { header, listenHttp } from "./http.mjs";

/** @type {Set<import("node:http").ServerResponse>} */
const responses = new Set();
/** @type {Buffer[]} */
const kept = [];
let id = 0;

function attach(
  /** @type {import("node:http").IncomingMessage} */ req,
  /** @type {import("node:http").ServerResponse} */ res,
) {
  res.writeHead(200, header);
  const last = req.headers["last-event-id"];
  const missed = last === undefined ? [] : kept.slice(Math.max(0, kept.length - id + Number(last)));
  res.write(Buffer.concat([Buffer.from(": open\n\n"), ...missed]));
  responses.add(res);
  res.on("close", () => responses.delete(res));
}

function publish(/** @type {string} */ data) {
  const bytes = Buffer.from(`id: ${++id}\nevent: tick\ndata: ${data}\n\n`);
  kept.push(bytes);
  if (kept.length > 1_000) kept.shift();
  for (const res of responses) res.write(bytes);
  return String(id);
}

await serve({ listen: () => listenHttp(attach, publish), publish });
