/** The package `launchdarkly-eventsource`, which LaunchDarkly's SDK for Node uses. */
import type { Any, PublishedClient } from "./client.ts";
import { plainEvents } from "./protocols.ts";

export const launchdarklyEventsource: PublishedClient = {
  package: "launchdarkly-eventsource",
  api: "`EventSource`",
  method: "GET",
  protocol: plainEvents,
  atCut: "resumes",
  async read({ url, load, onWord }) {
    const { EventSource } = await load("launchdarkly-eventsource");
    const source = new EventSource(url, { initialRetryDelayMillis: 10 });
    source.addEventListener("word", ({ data }: Any) => onWord(data));
    // Without a listener, each lost connection would be an uncaught exception.
    source.addEventListener("error", () => {});
    await new Promise((resolve, reject) => {
      source.addEventListener("done", resolve);
      source.addEventListener("closed", () => reject(new Error("closed")));
    });
    source.close();
  },
};
