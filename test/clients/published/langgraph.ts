/** The SDK of LangGraph: a run of a thread. */
import type { PublishedClient } from "./client.ts";

export const langgraph: PublishedClient = {
  package: "@langchain/langgraph-sdk",
  api: "`runs.stream()`",
  method: "POST",
  protocol: {
    before: [{ type: "metadata", data: { run_id: "r", attempt: 1 } }],
    word: (content) => ({ type: "messages", data: [{ type: "AIMessageChunk", content }, {}] }),
    after: [],
    end: { type: "end", data: "null" },
    // The client reconnects only to an address that the server has named.
    headers: { location: "/threads/t/runs/r/stream" },
  },
  atCut: "resumes",
  async read({ url, load, onWord }) {
    const { Client } = await load("@langchain/langgraph-sdk");
    const { runs } = new Client({ apiUrl: url, apiKey: null });
    for await (const { event, data } of runs.stream("t", "agent", { input: {}, streamMode: "messages-tuple" }))
      if (event === "messages") onWord(data[0].content);
  },
};
