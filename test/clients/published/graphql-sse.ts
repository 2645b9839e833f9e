/** GraphQL over SSE, a connection for each operation. */
import type { PublishedClient } from "./client.ts";

export const graphqlSse: PublishedClient = {
  package: "graphql-sse",
  api: "`createClient()`",
  method: "POST",
  protocol: {
    before: [],
    word: (word) => ({ type: "next", data: { data: { word } } }),
    after: [],
    end: { type: "complete", data: "" },
  },
  atCut: "starts over",
  async read({ url, load, onWord }) {
    const { createClient } = await load("graphql-sse");
    const client = createClient({ url, retry: async () => {} });
    for await (const { data } of client.iterate({ query: "subscription { word }" })) onWord(data.word);
  },
};
