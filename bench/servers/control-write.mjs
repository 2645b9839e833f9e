// Control: no library, `response.write()` on each response.
import { serve } from "./harness.mjs";
import { header, listenHttp } from "./http.mjs";

/** @type {Set<import("node:http").ServerResponse>} */
const responses = new Set();

function attach(/** @type {unknown} */ _req, /** @type {import("node:http").ServerResponse} */ res) {
  res.writeHead(200, header);
  res.write(": open\n\n");
  responses.add(res);
  res.on("close", () => responses.delete(res));
}

function publish(/** @type {string} */ data) {
  const bytes = Buffer.from(`event: tick\ndata: ${data}\n\n`);
  for (const res of responses) res.write(bytes);
}

await serve({ listen: () => listenHttp(attach, publish), publish });
