import { serveThrough } from "../contracts/proxy.ts";
import { nginx } from "../support/proxies/nginx.ts";

serveThrough(nginx, { hidden: ["x-accel-buffering"] });
