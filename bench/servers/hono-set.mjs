// sourcecast: an EventSourceSet on Hono with @hono/node-server, through web responses.
import { EventSource, EventSourceSet } from "sourcecast";
import { serve } from "./harness.mjs";
import { listenHono } from "./hono.mjs";

const set = new EventSourceSet();
const publish = (/** @type {string} */ data) => set.dispatch("tick", data);

function attach(/** @type {import("hono").Context} */ context) {
  const source = new EventSource(context.req.raw);
  set.add(source);
  return source.response();
}

await serve({ listen: () => listenHono(attach, publish), publish });
