/** Mistral's SDK: chat completions. */
import type { PublishedClient } from "./client.ts";

const chunk = (content: string, finishReason: string | null = null) => ({
  data: {
    id: "c",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta: { content }, finish_reason: finishReason }],
  },
});

export const mistral: PublishedClient = {
  package: "@mistralai/mistralai",
  api: "`chat.stream()`",
  method: "POST",
  protocol: {
    before: [],
    word: (content) => chunk(content),
    after: [chunk("", "stop")],
    end: { data: "[DONE]" },
  },
  atCut: { error: "TypeError: terminated" },
  async read({ url, load, onWord }) {
    const { Mistral } = await load("@mistralai/mistralai");
    const { chat } = new Mistral({ serverURL: url, apiKey: "x" });
    const stream = await chat.stream({ model: "m", messages: [{ role: "user", content: "?" }] });
    for await (const { data } of stream) if (data.choices[0].delta.content) onWord(data.choices[0].delta.content);
  },
};
