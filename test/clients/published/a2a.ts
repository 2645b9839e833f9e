/** A2A's SDK over JSON-RPC: the status of a task. */
import type { PublishedClient } from "./client.ts";

/** A response carries the id of its request, which is 1 for the first request of a client. */
const update = (state: string, text?: string) => ({
  data: {
    jsonrpc: "2.0",
    id: 1,
    result: {
      statusUpdate: {
        taskId: "t",
        contextId: "c",
        status: {
          state: `TASK_STATE_${state}`,
          ...(text !== undefined && { message: { messageId: "m", role: "ROLE_AGENT", parts: [{ text }] } }),
        },
      },
    },
  },
});

export const a2a: PublishedClient = {
  package: "@a2a-js/sdk",
  api: "`sendMessageStream()`",
  method: "POST",
  protocol: {
    before: [],
    word: (text) => update("WORKING", text),
    after: [update("COMPLETED")],
  },
  atCut: { error: "TypeError: terminated" },
  async read({ url, load, onWord }) {
    const { ClientFactory } = await load("@a2a-js/sdk/client");
    const client = await new ClientFactory().createFromAgentCard({
      name: "agent",
      capabilities: { streaming: true },
      supportedInterfaces: [{ url, protocolBinding: "JSONRPC", protocolVersion: "1.0" }],
    });
    const message = { messageId: "q", role: 1, parts: [{ content: { $case: "text", value: "?" } }] };
    for await (const { payload } of client.sendMessageStream({ message })) {
      const text = payload.value.status.message?.parts[0].content.value;
      if (text !== undefined) onWord(text);
    }
  },
};
