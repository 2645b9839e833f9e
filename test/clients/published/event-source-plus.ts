/** The package `event-source-plus`. */
import type { Any, PublishedClient } from "./client.ts";

export const eventSourcePlus: PublishedClient = {
  package: "event-source-plus",
  api: "`EventSourcePlus`",
  method: "POST",
  protocol: {
    before: [],
    // It removes spaces at both ends of the data.
    word: (word) => ({ type: "word", data: { word } }),
    after: [{ type: "done", data: "" }],
    control: false,
  },
  atCut: "resumes",
  async read({ url, load, onWord }) {
    const { EventSourcePlus } = await load("event-source-plus");
    await new Promise<void>((resolve, reject) => {
      const controller = new EventSourcePlus(url, { method: "POST", body: {} }).listen({
        onMessage({ event, data }: Any) {
          if (event === "word") onWord(JSON.parse(data).word);
          if (event !== "done") return;
          controller.abort();
          resolve();
        },
        onResponseError: ({ error }: Any) => reject(error),
      });
    });
  },
};
