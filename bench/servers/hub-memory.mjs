// sourcecast: a channel of a hub on memory.
import { createHub } from "sourcecast";
import { respond } from "sourcecast/node";
import { serve } from "./harness.mjs";
import { listenHttp } from "./http.mjs";

const hub = createHub();
const channel = hub.channel("ticks");

await serve({
  listen: () => listenHttp((req, res) => void respond(hub, req, res, { channels: ["ticks"] })),
  publish: (data) => channel.dispatch("tick", data),
});
