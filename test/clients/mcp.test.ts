/** The published SDKs for MCP on the store and the bus of a hub. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { beforeAll, expect, test } from "vitest";
import { createHub } from "../../src/index.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { eventBus, eventStore } from "../../src/mcp/index.ts";
import { loadClients } from "../support/published-clients.ts";

// biome-ignore lint/suspicious/noExplicitAny: the packages are installed by the test, without their types
type Any = any;

let load: (specifier: string) => Promise<Any>;

beforeAll(async () => {
  load = await loadClients();
});

test("a client of SDK 1 whose stream is closed in the middle of a call gets every message of it, once", async () => {
  const { McpServer } = await load("@modelcontextprotocol/sdk/server/mcp.js");
  const { StreamableHTTPServerTransport } = await load("@modelcontextprotocol/sdk/server/streamableHttp.js");
  const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const hub = createHub();
  const session = randomUUID();
  const mcp = new McpServer({ name: "test", version: "1" }, { capabilities: { logging: {} } });
  mcp.registerTool("count", { description: "Counts" }, async (extra: Any) => {
    for (let number = 1; number <= 6; number++) {
      const params = { level: "info", data: `${number}` };
      await extra.sendNotification({ method: "notifications/message", params });
      if (number === 2) extra.closeSSEStream?.();
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

  const client = new Client({ name: "test", version: "1" });
  const { LoggingMessageNotificationSchema } = await load("@modelcontextprotocol/sdk/types.js");
  const numbers: string[] = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }: Any) => void numbers.push(params.data));
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
  const result = await client.callTool({ name: "count", arguments: {} });
  expect(result.content).toEqual([{ type: "text", text: "done" }]);
  await expect.poll(() => numbers).toEqual(["1", "2", "3", "4", "5", "6"]);

  await client.close();
  await mcp.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await hub.close();
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
