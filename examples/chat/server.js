// A chat whose answers survive a reload, a second window and the death of the server.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { convertToModelMessages, streamText } from "ai";
import { Hono } from "hono";
import { createHub } from "sourcecast";
import { createRuns } from "sourcecast/ai";
import { sqliteLog } from "sourcecast/sqlite";
import { openMessages } from "./messages.js";
import { model } from "./model.js";

const folder = process.env.DATA ?? import.meta.dirname;
const messages = openMessages(join(folder, "messages.db"));
const hub = createHub({ log: sqliteLog({ path: join(folder, "events.db") }) });

const runs = createRuns({
  hub,
  protocol: "ai-sdk",
  lease: "4s",
  errorText: (error) =>
    error?.code === "ERR_SSE_TIMEOUT"
      ? "The server that wrote this was killed. These are the words that it had published."
      : "The model failed.",
  // Called before the run ends: whoever finds no run under way finds the answer here.
  async onFinish({ chatId, runId, text, outcome }) {
    if (text === "") return;
    messages.add(chatId, { id: runId, role: "assistant", metadata: { outcome }, parts: [{ type: "text", text }] });
  },
});

const app = new Hono();

app.post("/api/chat", async (c) => {
  const { id, message } = await c.req.json();
  messages.add(id, message);
  const history = await convertToModelMessages(messages.list(id));
  const answer = ({ signal, runId }) =>
    streamText({ model, messages: history, abortSignal: signal }).toUIMessageStream({ generateMessageId: () => runId });
  const response = await runs.start(id, answer, { request: c.req.raw, requestId: message.id });
  // Other windows of the chat look for the new run.
  await hub.channel(`chat/${id}`).dispatch("run");
  return response;
});

app.get("/api/chat/:id/stream", (c) => runs.resume(c.req.param("id"), c.req.raw));

app.post("/api/chat/:id/stop", async (c) => c.json({ stopped: await runs.stop(c.req.param("id")) }));

app.get("/api/chat/:id/messages", (c) => c.json(messages.list(c.req.param("id"))));

app.get("/api/chat/:id/events", (c) => hub.channel(`chat/${c.req.param("id")}`).response(c.req.raw));

app.delete("/api/chat/:id", async (c) => {
  const id = c.req.param("id");
  await runs.delete(id);
  messages.clear(id);
  await hub.channel(`chat/${id}`).dispatch("deleted");
  return c.body(null, 204);
});

// For the demonstration only.
app.post("/kill", () => process.kill(process.pid, "SIGKILL"));

app.use("/assets/*", serveStatic({ root: "./dist", rewriteRequestPath: (path) => path }));
const page = readFileSync(join(import.meta.dirname, "dist/index.html"), "utf8");
app.get("/:chat?", (c) => c.html(page));

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`http://localhost:${port}`);
});

// A deploy: the answers under way end with an error at once, and readers need not wait for a lease.
process.once("SIGTERM", async () => {
  await runs.close();
  await hub.close();
  server.close();
});
