import { serveThrough } from "../contracts/proxy.ts";
import { caddy } from "../support/proxies/caddy.ts";

serveThrough(caddy);
