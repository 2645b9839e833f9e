// sourcecast: a channel of a hub on memory.
import { createHub } from "sourcecast";
import { respond } from "sourcecast/node";
import { serve } from "./harness.mjs";
import { listenHttp } from "./http.mjs";

const hub = createHub();
const channel = hub.channel("ticks");
const publish = (/** @type {string} */ data) => channel.dispatch("tick", data);

await serve({
  listen: () => listenHttp((req, res) => void respond(hub, req, res, { channels: ["ticks"] }), publish),
  publish,
});
