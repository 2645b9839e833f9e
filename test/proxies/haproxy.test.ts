import { serveThrough } from "../contracts/proxy.ts";
import { haproxy } from "../support/proxies/haproxy.ts";

const except = { "nothing is left behind": "HAProxy keeps connections to the server for those who come next" };
// With its defaults HAProxy looks whether a client is there when it has something for it.
serveThrough(haproxy, { except }, { KEEP_ALIVE: "50ms" });
