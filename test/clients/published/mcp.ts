/** The clients of MCP's SDKs, versions 1 and 2: the notifications of a session. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import type { Any, PublishedClient, Reading } from "./client.ts";
import { mcpMessages } from "./protocols.ts";

const shared = {
  api: "`StreamableHTTPClientTransport`",
  method: "GET",
  protocol: mcpMessages,
  atCut: "resumes",
  answer,
} as const;

export const mcp1: PublishedClient = {
  ...shared,
  package: "@modelcontextprotocol/sdk",
  async read(reading) {
    const { Client } = await reading.load("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } = await reading.load("@modelcontextprotocol/sdk/client/streamableHttp.js");
    const { LoggingMessageNotificationSchema } = await reading.load("@modelcontextprotocol/sdk/types.js");
    await listen(reading, Client, StreamableHTTPClientTransport, LoggingMessageNotificationSchema);
  },
};

export const mcp2: PublishedClient = {
  ...shared,
  package: "@modelcontextprotocol/client",
  async read(reading) {
    const { Client, StreamableHTTPClientTransport } = await reading.load("@modelcontextprotocol/client");
    await listen(reading, Client, StreamableHTTPClientTransport, "notifications/message");
  },
};

async function listen({ url, onWord }: Reading, Client: Any, Transport: Any, notification: Any): Promise<void> {
  const client = new Client({ name: "test", version: "1" });
  const ended = new Promise<void>((resolve) =>
    client.setNotificationHandler(notification, ({ params: { data } }: Any) =>
      data === "" ? resolve() : onWord(data),
    ),
  );
  await client.connect(new Transport(new URL(url)));
  await ended;
  await client.close();
}

/** Answers the requests of a session, except the one for its stream. */
function answer(req: IncomingMessage, res: ServerResponse): boolean {
  if (req.method === "GET") return false;
  void json(req).then((message: Any) => {
    if (message.id === undefined) return res.writeHead(202).end();
    const result = {
      protocolVersion: message.params.protocolVersion,
      capabilities: { logging: {} },
      serverInfo: { name: "test", version: "1" },
    };
    res.writeHead(200, { "content-type": "application/json", "mcp-session-id": "s" });
    return res.end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result }));
  });
  return true;
}
