import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { files } from "./files.ts";
import { Refusal, sendPage, sendText } from "./http.ts";
import { openStore } from "./hub.ts";
import { listen } from "./listen.ts";
import { renderNotFound } from "./page.ts";
import { openRoutes, type Routes } from "./routes.ts";

const { promise: opened, resolve: open } = Promise.withResolvers<Routes>();
const server = createServer(async (request, response) => {
  try {
    await answer(await opened, request, response);
  } catch (error) {
    if (response.headersSent || response.destroyed) return;
    if (!(error instanceof Refusal)) console.error(error);
    const { status, message, headers } = error instanceof Refusal ? error : new Refusal(500, "That went wrong");
    // A person who followed a link gets a page with a way on.
    if (status === 404 && request.headers.accept?.includes("text/html")) sendPage(response, renderNotFound(), 404);
    else sendText(response, status, message, headers);
  }
});

// Each port has a file of its own, so that two demos side by side do not get into each other's way.
const { port, address } = await listen(server);
const cache = fileURLToPath(new URL("../../node_modules/.cache/sourcecast", import.meta.url));
const { DATABASE = `${cache}/demo-${port}.db`, KEEP = "10000" } = process.env;
open(await openRoutes(openStore(DATABASE, Number(KEEP))));
console.log(`The demo is at ${address}`);

async function answer(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(`http://localhost${request.url?.startsWith("/") ? request.url : "/"}`);
  const { pathname } = url;
  // HEAD is answered as GET: Node leaves the body out.
  const method = request.method === "HEAD" ? "GET" : request.method;
  const route = routes[`${method} ${pathname}`];
  if (route !== undefined) await route(request, response, url);
  else if (method === "GET" && files.serve(pathname, request, response)) return;
  else throw refusalOf(routes, pathname);
}

/** A path that is known takes other methods; any other has nothing. */
function refusalOf(routes: Routes, path: string): Refusal {
  const allowed = ["GET", "POST"].filter(
    (method) => `${method} ${path}` in routes || (method === "GET" && files.has(path)),
  );
  if (allowed.length === 0) return new Refusal(404, "There is nothing here");
  const methods = allowed.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  return new Refusal(405, `This address takes ${methods}`, { allow: methods });
}
