/** The package `eventsource-client`. */
import type { PublishedClient } from "./client.ts";
import { plainEvents } from "./protocols.ts";

export const eventsourceClient: PublishedClient = {
  package: "eventsource-client",
  api: "`createEventSource()`",
  method: "POST",
  protocol: plainEvents,
  atCut: "resumes",
  async read({ url, load, onWord }) {
    const { createEventSource } = await load("eventsource-client");
    const source = createEventSource({ url, method: "POST", body: "{}" });
    for await (const { event, data } of source) {
      if (event === "word") onWord(data);
      if (event === "done") break;
    }
    source.close();
  },
};
