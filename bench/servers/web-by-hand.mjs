// Control: the lean stream on the runtime's own server.
import { serve } from "./harness.mjs";
import { attach, publish } from "./lean-stream.mjs";
import { listenWeb } from "./web.mjs";

await serve({ listen: () => listenWeb(attach, publish), publish });
