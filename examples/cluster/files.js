// The page and its files, read once. The client of the package is served as it is installed: the page has no build.
import { readdirSync, readFileSync } from "node:fs";

const types = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

const client = new URL(import.meta.resolve("sourcecast/client"));
const chunks = new URL("../chunks/", client);
const page = readFileSync(new URL("public/index.html", import.meta.url), "utf8");
const stores = { sqlite: "SQLite", redis: "Redis", postgres: "PostgreSQL", nats: "NATS" };

/** The page, which names the store. */
export function renderPage(store) {
  return page.replaceAll("{{store}}", stores[store]);
}

/** Files by the path that they are served at. */
export const files = new Map([
  ...["app.js", "ledger.js", "moves.js", "processes.js", "style.css", "icon.svg"].map((name) => [
    `/${name}`,
    read(new URL(`public/${name}`, import.meta.url)),
  ]),
  ["/sourcecast/client/index.js", read(client)],
  ...readdirSync(chunks)
    .filter((name) => name.endsWith(".js"))
    .map((name) => [`/sourcecast/chunks/${name}`, read(new URL(name, chunks))]),
]);

function read(url) {
  return { body: readFileSync(url), type: types[url.pathname.slice(url.pathname.lastIndexOf(".") + 1)] };
}
