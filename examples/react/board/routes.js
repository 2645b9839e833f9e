// The routes of the board for servers of node:http, as middleware: for server.js, and for the development server of Vite.
import { text } from "node:stream/consumers";
import { respond } from "sourcecast/node";
import { openBoard } from "./hub.js";

/** @param {import("node:http").IncomingMessage} req @param {import("node:http").ServerResponse} res */
export async function boardRoutes(req, res, next) {
  const { pathname } = new URL(req.url, "http://localhost");
  if (pathname === "/board/events") {
    await respond(openBoard().hub, req, res, { channels: ["board"] });
  } else if (pathname === "/board/state") {
    res.setHeader("content-type", "application/json").end(JSON.stringify(await openBoard().snapshot()));
  } else if (pathname === "/board/announce" && req.method === "POST") {
    await announce(await text(req), res);
  } else {
    next();
  }
}

async function announce(body, res) {
  try {
    await openBoard().announce(JSON.parse(body).text);
    res.writeHead(204).end();
  } catch (error) {
    res.writeHead(400, { "content-type": "text/plain" }).end(error.message);
  }
}
