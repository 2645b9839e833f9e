/** The package `eventsource`: the standard's class outside of browsers. */
import type { Any, PublishedClient } from "./client.ts";
import { plainEvents } from "./protocols.ts";

export const eventsource: PublishedClient = {
  package: "eventsource",
  api: "`EventSource`",
  method: "GET",
  protocol: plainEvents,
  atCut: "resumes",
  async read({ url, load, onWord }) {
    const { EventSource } = await load("eventsource");
    const source = new EventSource(url);
    source.addEventListener("word", ({ data }: Any) => onWord(data));
    await new Promise((resolve, reject) => {
      source.addEventListener("done", resolve);
      source.addEventListener("error", ({ message }: Any) => source.readyState === 2 && reject(new Error(message)));
    });
    source.close();
  },
};
