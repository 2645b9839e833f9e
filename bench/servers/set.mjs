// sourcecast: an EventSourceSet on node:http.
import { EventSourceSet } from "sourcecast";
import { openEventSource } from "sourcecast/node";
import { serve } from "./harness.mjs";
import { listenHttp } from "./http.mjs";

const set = new EventSourceSet();
const publish = (/** @type {string} */ data) => set.dispatch("tick", data);

await serve({ listen: () => listenHttp((req, res) => void set.add(openEventSource(req, res)), publish), publish });
