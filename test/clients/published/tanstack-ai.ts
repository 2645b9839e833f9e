/** TanStack AI's connection adapter, which its chats of every framework use. */
import type { PublishedClient } from "./client.ts";
import { agUi } from "./protocols.ts";

export const tanstackAi: PublishedClient = {
  package: "@tanstack/ai-client",
  api: "`fetchServerSentEvents()`",
  method: "POST",
  protocol: agUi,
  atCut: "resumes",
  async read({ url, load, onWord }) {
    const { fetchServerSentEvents } = await load("@tanstack/ai-client");
    const stream = fetchServerSentEvents(url).connect([], undefined, undefined, { threadId: "t", runId: "r" });
    for await (const { type, delta } of stream) if (type === "TEXT_MESSAGE_CONTENT") onWord(delta);
  },
};
