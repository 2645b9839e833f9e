import { pageThrough } from "../contracts/proxy/page.ts";
import { serveThrough } from "../contracts/proxy/serving-suite.ts";
import { streamThrough } from "../contracts/proxy/stream.ts";
import { nginx } from "../support/proxies/nginx.ts";

serveThrough(nginx, { hidden: ["x-accel-buffering"] });
streamThrough(nginx);
pageThrough(nginx, { cutsAtReload: true });
