/** OpenAI's SDK: chat completions. */
import type { PublishedClient } from "./client.ts";

const chunk = (delta: object, finish_reason: string | null = null) => ({
  data: {
    id: "c",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta, finish_reason }],
  },
});

export const openai: PublishedClient = {
  package: "openai",
  api: "`chat.completions.create()`",
  method: "POST",
  protocol: {
    before: [],
    word: (content) => chunk({ content }),
    after: [chunk({}, "stop")],
    end: { data: "[DONE]" },
  },
  atCut: { error: "TypeError: terminated" },
  async read({ url, load, onWord }) {
    const { default: OpenAI } = await load("openai");
    const client = new OpenAI({ baseURL: url, apiKey: "x", maxRetries: 0 });
    const stream = await client.chat.completions.create({ model: "m", messages: [], stream: true });
    for await (const { choices } of stream) if (choices[0].delta.content) onWord(choices[0].delta.content);
  },
};
