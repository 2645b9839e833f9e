/** tRPC's link for subscriptions, with the `EventSource` of the package `eventsource`. */
import type { Any, PublishedClient } from "./client.ts";

export const trpc: PublishedClient = {
  package: "@trpc/client",
  api: "`httpSubscriptionLink()`",
  method: "GET",
  protocol: {
    before: [{ type: "connected", data: {} }],
    word: (word) => ({ data: { word } }),
    after: [],
    end: { type: "return", data: "" },
  },
  atCut: "resumes",
  async read({ url, load, onWord }) {
    const { createTRPCUntypedClient, httpSubscriptionLink } = await load("@trpc/client");
    const { EventSource } = await load("eventsource");
    const client = createTRPCUntypedClient({ links: [httpSubscriptionLink({ url, EventSource })] });
    await new Promise<void>((onComplete, onError) => {
      // An event with an id is passed on together with it.
      const onData = ({ id, data, word }: Any) => onWord(id === undefined ? word : data.word);
      client.subscription("word", undefined, { onData, onError, onComplete });
    });
  },
};
