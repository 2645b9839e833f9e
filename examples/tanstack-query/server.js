// The server in production: the routes of the board, and the files that Vite has built.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { boardRoutes } from "./board/routes.js";

const dist = join(import.meta.dirname, "dist");
const types = { ".css": "text/css", ".html": "text/html;charset=utf-8", ".js": "text/javascript" };

const server = createServer((req, res) => boardRoutes(req, res, () => serveFile(req, res)));

server.listen(process.env.PORT ?? 3000, () => console.log(`http://localhost:${server.address().port}`));

// The board ends its streams on this signal. With the last of them, the server closes and the process ends.
process.once("SIGTERM", () => server.close());

function serveFile(req, res) {
  const { pathname } = new URL(req.url, "http://localhost");
  const file = join(dist, normalize(pathname === "/" ? "index.html" : pathname));
  if (!existsSync(file)) {
    res.writeHead(404).end();
    return;
  }
  res.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" });
  createReadStream(file).pipe(res);
}
