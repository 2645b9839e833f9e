/** The protocols that several clients read. */
import type { Protocol } from "./client.ts";

/** Events of the application's own types, for clients of the standard. */
export const plainEvents: Protocol = {
  before: [],
  word: (data) => ({ type: "word", data }),
  after: [{ type: "done", data: "" }],
  control: false,
};

/** The UI message stream of the AI SDK. */
export const uiMessages: Protocol = {
  before: [{ data: { type: "start", messageId: "m" } }, { data: { type: "text-start", id: "1" } }],
  word: (delta) => ({ data: { type: "text-delta", id: "1", delta } }),
  after: [{ data: { type: "text-end", id: "1" } }, { data: { type: "finish" } }],
  end: { data: "[DONE]" },
  headers: { "x-vercel-ai-ui-message-stream": "v1" },
};

/** AG-UI, which TanStack AI reads too. */
export const agUi: Protocol = {
  before: [
    { data: { type: "RUN_STARTED", threadId: "t", runId: "r" } },
    { data: { type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" } },
  ],
  word: (delta) => ({ data: { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta } }),
  after: [
    { data: { type: "TEXT_MESSAGE_END", messageId: "m" } },
    { data: { type: "RUN_FINISHED", threadId: "t", runId: "r" } },
  ],
};

/** Notifications of the Model Context Protocol. Its streams have no end, so the last word says it. */
export const mcpMessages: Protocol = {
  before: [],
  word: (data) => ({ data: logged(data) }),
  after: [{ data: logged("") }],
};

function logged(data: string): object {
  return { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data } };
}
