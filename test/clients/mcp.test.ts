/** The published SDKs for MCP on the store and the bus of a hub. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { beforeAll, expect, test } from "vitest";
import { createHub } from "../../src/index.ts";
import type { Log } from "../../src/log/log.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { eventBus, eventStore } from "../../src/mcp/index.ts";
import { delayedLog } from "../support/delayed-log.ts";
import { randomNumbers } from "../support/followers.ts";
import { loadClients } from "../support/published-clients.ts";

// biome-ignore lint/suspicious/noExplicitAny: the packages are installed by the test, without their types
type Any = any;

/** `MCP_CALLS=250` is the number that was measured. */
const calls = Number(process.env.MCP_CALLS ?? 12);

let load: (specifier: string) => Promise<Any>;

beforeAll(async () => {
  load = await loadClients();
});

/** The SDK's own server and client for one session, with a tool that counts and closes its stream after some numbers. */
async function counting(log: Log, body: (count: () => Promise<string[]>) => Promise<void>): Promise<void> {
  const { McpServer } = await load("@modelcontextprotocol/sdk/server/mcp.js");
  const { StreamableHTTPServerTransport } = await load("@modelcontextprotocol/sdk/server/streamableHttp.js");
  const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const { LoggingMessageNotificationSchema } = await load("@modelcontextprotocol/sdk/types.js");
  const hub = createHub({ log });
  const session = randomUUID();
  const mcp = new McpServer({ name: "test", version: "1" }, { capabilities: { logging: {} } });
  let call = 0;
  mcp.registerTool("count", { description: "Counts" }, async (extra: Any) => {
    const closesAt = 1 + (call++ % (most - 1));
    for (let number = 1; number <= most; number++) {
      const params = { level: "info", data: `${number}` };
      await extra.sendNotification({ method: "notifications/message", params });
      if (number === closesAt) extra.closeSSEStream?.();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return { content: [{ type: "text", text: "done" }] };
  });
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => session,
    eventStore: eventStore(hub, { session }),
    retryInterval: 10,
  });
  await mcp.connect(transport);
  const server = createServer((req, res) => void transport.handleRequest(req, res));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const url = new URL(`http://127.0.0.1:${port}/mcp`);

  const client = new Client({ name: "test", version: "1" });
  const numbers: string[] = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }: Any) => void numbers.push(params.data));
  const connection = new StreamableHTTPClientTransport(url);
  await client.connect(connection);
  const count = async (): Promise<string[]> => {
    const result = await client.callTool({ name: "count", arguments: {} });
    expect(result.content).toEqual([{ type: "text", text: "done" }]);
    return numbers.splice(0);
  };
  await body(count);

  // An id that is of no event is the client's mistake, not the server's.
  const headers = {
    accept: "application/json, text/event-stream",
    "mcp-session-id": connection.sessionId,
    "last-event-id": "evt-unmappable",
  };
  expect((await fetch(url, { headers })).status).toBe(400);
  await client.close();
  await mcp.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await hub.close();
}

/** How far the tool counts. */
const most = 30;
const all = Array.from({ length: most }, (_, index) => `${index + 1}`);

test("a client of SDK 1 whose stream is closed in the middle of a call gets every message of it, once", async () => {
  await counting(memoryLog(), async (count) => expect(await count()).toEqual(all));
});

test("on a slow log, too, whatever the moment at which the replay ends", async () => {
  const random = randomNumbers(1);
  const pause = () => new Promise<void>((resolve) => setTimeout(resolve, random() * 8));
  await counting(delayedLog(memoryLog(), pause), async (count) => {
    for (let call = 0; call < calls; call++) expect(await count()).toEqual(all);
  });
});

test("a change in one process of SDK 2 reaches the listeners of another", async () => {
  const { createMcpHandler, McpServer } = await load("@modelcontextprotocol/server");
  const log = memoryLog();
  const factory = () =>
    new McpServer({ name: "test", version: "1" }, { capabilities: { tools: { listChanged: true } } });
  const hubs = [createHub({ log }), createHub({ log })];
  const [one, two] = hubs.map((hub) => createMcpHandler(factory, { bus: eventBus(hub) }));
  const heard: string[] = [];
  const remove = two.bus.subscribe(({ kind }: { kind: string }) => void heard.push(kind));
  one.notify.toolsChanged();
  await expect.poll(() => heard).toEqual(["tools_list_changed"]);
  remove();
  await one.close();
  await two.close();
  for (const hub of hubs) await hub.close();
});
