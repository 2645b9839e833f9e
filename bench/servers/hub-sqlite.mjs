// sourcecast: a channel of a hub on SQLite, in a file that is removed at the end.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHub } from "sourcecast";
import { respond } from "sourcecast/node";
import { sqliteLog } from "sourcecast/sqlite";
import { serve } from "./harness.mjs";
import { listenHttp } from "./http.mjs";

const folder = mkdtempSync(join(tmpdir(), "sourcecast-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const hub = createHub({ log: sqliteLog({ path: join(folder, "events.db"), maxEvents: 100_000 }) });
const channel = hub.channel("ticks");
const publish = (/** @type {string} */ data) => channel.dispatch("tick", data);

await serve({
  listen: () => listenHttp((req, res) => void respond(hub, req, res, { channels: ["ticks"] }), publish),
  publish,
});
