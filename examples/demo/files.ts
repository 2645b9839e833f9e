import { readdirSync } from "node:fs";
import { StaticFiles } from "./http.ts";

const own = (name: string): URL => new URL(`public/${name}`, import.meta.url);
/** Out of the packages that `npm ci` has put into the repository. */
const installed = (path: string): URL => new URL(`../../node_modules/${path}`, import.meta.url);
const font = (family: string, file: string): URL => installed(`@fontsource-variable/${family}/files/${file}.woff2`);

/** The client of the package, and the chunks that its modules import: the page has no build. */
const client = new URL(import.meta.resolve("sourcecast/client"));
const chunks = new URL("../chunks/", client);
const clientFiles = readdirSync(chunks)
  .filter((name) => name.endsWith(".js"))
  .map((name) => [`/sourcecast/chunks/${name}`, new URL(name, chunks)] as const);

export const files: StaticFiles = new StaticFiles({
  "/style.css": own("style.css"),
  "/icon.svg": own("icon.svg"),
  "/favicon.ico": own("icon.svg"),
  "/app.js": own("app.js"),
  "/chat.js": own("chat.js"),
  "/connection.js": own("connection.js"),
  "/document.js": own("document.js"),
  "/missed.js": own("missed.js"),
  "/pin.js": own("pin.js"),
  "/stream.js": own("stream.js"),
  "/wire.js": own("wire.js"),
  "/windows.js": own("windows.js"),
  "/sourcecast/client/index.js": client,
  ...Object.fromEntries(clientFiles),
  "/htmx.js": installed("htmx.org/dist/htmx.min.js"),
  "/htmx-sse.js": installed("htmx-ext-sse/dist/sse.min.js"),
  "/fonts/figtree.woff2": font("figtree", "figtree-latin-wght-normal"),
  "/fonts/fraunces.woff2": font("fraunces", "fraunces-latin-opsz-normal"),
  "/fonts/jetbrains-mono.woff2": font("jetbrains-mono", "jetbrains-mono-latin-wght-normal"),
});
