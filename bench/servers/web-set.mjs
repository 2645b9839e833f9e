// sourcecast: an EventSourceSet on the runtime's own server, through web responses.
import { EventSource, EventSourceSet } from "sourcecast";
import { serve } from "./harness.mjs";
import { listenWeb } from "./web.mjs";

const set = new EventSourceSet();
const publish = (/** @type {string} */ data) => set.dispatch("tick", data);

function attach(/** @type {Request} */ request) {
  const source = new EventSource(request);
  set.add(source);
  return source.response();
}

await serve({ listen: () => listenWeb(attach, publish), publish });
