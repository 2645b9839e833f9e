// better-sse: a channel, on node:http.
import { createChannel, createSession } from "better-sse";
import { serve } from "./harness.mjs";
import { listenHttp } from "./http.mjs";

const channel = createChannel();
const publish = (/** @type {string} */ data) => channel.broadcast(data, "tick");

await serve({
  listen: () => listenHttp(async (req, res) => void channel.register(await createSession(req, res)), publish),
  publish,
});
