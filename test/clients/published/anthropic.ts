/** Anthropic's SDK: messages. */
import type { PublishedClient } from "./client.ts";

const usage = { input_tokens: 1, output_tokens: 1 };
const message = { id: "m", type: "message", role: "assistant", content: [], model: "m", stop_reason: null, usage };
/** Its events carry their type twice. */
const event = (type: string, fields: object = {}) => ({ type, data: { type, ...fields } });

export const anthropic: PublishedClient = {
  package: "@anthropic-ai/sdk",
  api: "`messages.stream()`",
  method: "POST",
  protocol: {
    before: [
      event("message_start", { message }),
      event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    ],
    word: (text) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
    after: [
      event("content_block_stop", { index: 0 }),
      event("message_delta", { delta: { stop_reason: "end_turn" }, usage }),
      event("message_stop"),
    ],
  },
  atCut: { error: "AnthropicError: terminated" },
  async read({ url, load, onWord }) {
    const { default: Anthropic } = await load("@anthropic-ai/sdk");
    const client = new Anthropic({ baseURL: url, apiKey: "x", maxRetries: 0 });
    const stream = client.messages.stream({ model: "m", max_tokens: 9, messages: [{ role: "user", content: "?" }] });
    stream.on("text", onWord);
    await stream.finalMessage();
  },
};
