/** oRPC's link, with its plugin for retries. */
import type { PublishedClient } from "./client.ts";

export const orpc: PublishedClient = {
  package: "@orpc/client",
  api: "`RPCLink`, `ClientRetryPlugin`",
  method: "POST",
  protocol: {
    before: [],
    word: (word) => ({ data: { json: { word } } }),
    after: [],
    end: { type: "done", data: {} },
  },
  atCut: "resumes",
  async read({ url, load, onWord }) {
    const { createORPCClient } = await load("@orpc/client");
    const { RPCLink } = await load("@orpc/client/fetch");
    const { ClientRetryPlugin } = await load("@orpc/client/plugins");
    const client = createORPCClient(new RPCLink({ url, plugins: [new ClientRetryPlugin()] }));
    for await (const { word } of await client.words(undefined, { context: { retry: 3 } })) onWord(word);
  },
};
