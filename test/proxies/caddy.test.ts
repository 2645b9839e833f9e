import { pageThrough } from "../contracts/proxy/page.ts";
import { serveThrough } from "../contracts/proxy/serving-suite.ts";
import { streamThrough } from "../contracts/proxy/stream.ts";
import { caddy } from "../support/proxies/caddy.ts";

serveThrough(caddy);
streamThrough(caddy, { holdsCompressed: true });
pageThrough(caddy, { cutsAtReload: false });
