// Control: the lean stream on Hono's server for Node.
import { serve } from "./harness.mjs";
import { listenHono } from "./hono.mjs";
import { attach, publish } from "./lean-stream.mjs";

await serve({ listen: () => listenHono(attach, publish), publish });
