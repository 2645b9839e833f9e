import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { files } from "./files.ts";
import { Refusal, sendText } from "./http.ts";
import { openStore } from "./hub.ts";
import { listen } from "./listen.ts";
import { openRoutes, type Routes } from "./routes.ts";

const { promise: opened, resolve: open } = Promise.withResolvers<Routes>();
const server = createServer(async (request, response) => {
  try {
    await answer(await opened, request, response);
  } catch (error) {
    if (response.headersSent || response.destroyed) return;
    if (!(error instanceof Refusal)) console.error(error);
    const { status, message } = error instanceof Refusal ? error : { status: 500, message: "That went wrong" };
    sendText(response, status, message);
  }
});

// Each port has a file of its own, so that two demos side by side do not get into each other's way.
const { port, address } = await listen(server);
const cache = fileURLToPath(new URL("../../node_modules/.cache/sourcecast", import.meta.url));
const { DATABASE = `${cache}/demo-${port}.db`, KEEP = "10000" } = process.env;
open(await openRoutes(openStore(DATABASE, Number(KEEP))));
console.log(`The demo is at ${address}`);

async function answer(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const route = routes[`${request.method} ${url.pathname}`];
  if (route !== undefined) await route(request, response, url);
  else if (!files.serve(url.pathname, request, response)) throw new Refusal(404, "There is nothing here");
}
