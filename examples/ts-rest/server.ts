import { createExpressEndpoints, initServer } from "@ts-rest/express";
import express from "express";
import { createSSE, overloadHandler } from "sourcecast/express";
import { eventHandler } from "sourcecast/ts-rest";
import { contract, events } from "./contract.ts";

export const sse = createSSE({
  events,
  connections: Number(process.env.CONNECTIONS ?? 100),
  connectionTimeout: 60_000,
});

const app = express();
app.use(express.json());

const s = initServer();
const router = s.router(contract, {
  getEvents: eventHandler(async ({ req, res }) => {
    const user = userOf(req);
    if (user === undefined) return { status: 401, body: { error: "Say who you are: ?user=" } };
    sse.attach(user, res);
  }),
  postMessage: async ({ query, body }) => {
    const id = await sse.send("message", body, { to: query.to });
    return { status: 201, body: { id, connections: sse.size } };
  },
});

// Stands in for a session: the address names the user.
function userOf(req: { originalUrl: string }): string | undefined {
  return new URL(req.originalUrl, "http://localhost").searchParams.get("user") ?? undefined;
}

createExpressEndpoints(contract, router, app, {
  responseValidation: true,
  globalMiddleware: [
    (_req, res, next) => {
      res.setHeader("x-example", "ts-rest");
      next();
    },
  ],
});
app.use(overloadHandler);

const server = app.listen(process.env.PORT ?? 3000, () => {
  const { port } = server.address() as { port: number };
  console.log(`http://localhost:${port}`);
});
