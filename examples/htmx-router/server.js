import { createServer } from "node:http";
import express from "express";
import { createRequestHandler } from "htmx-router";
import { renderToString } from "preact-render-to-string";

const isProduction = process.env.NODE_ENV === "production";
const app = express();
const server = createServer(app);

const viteDevServer = isProduction
  ? null
  : await import("vite").then((vite) =>
      vite.createServer({ server: { middlewareMode: true, hmr: { server } }, appType: "custom" }),
    );

if (viteDevServer) app.use(viteDevServer.middlewares);
else app.use(express.static("dist/client"));
app.use("/htmx", express.static("node_modules/htmx.org/dist"), express.static("node_modules/htmx-ext-sse"));

// htmx-router waits for `aborted`, which Node does not emit once a request has been read.
app.use((req, res, next) => {
  res.once("close", () => req.emit("aborted"));
  next();
});

app.use(
  createRequestHandler.http({
    build: viteDevServer
      ? () => viteDevServer.ssrLoadModule("./app/entry.server.ts")
      : await import("./dist/server/entry.server.js"),
    viteDevServer,
    render: (jsx, headers) => {
      headers.set("content-type", "text/html; charset=UTF-8");
      return renderToString(jsx);
    },
  }),
);

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://localhost:${server.address().port}`);
});

const shutdown = () => {
  viteDevServer?.close();
  server.close();
  server.closeIdleConnections();
};
process.on("SIGTERM", shutdown);
process.on("SIGHUP", shutdown);
