/** The package `@microsoft/fetch-event-source`. It was written for pages, and asks for two globals of them. */
import type { Any, PublishedClient } from "./client.ts";
import { plainEvents } from "./protocols.ts";

export const fetchEventSource: PublishedClient = {
  package: "@microsoft/fetch-event-source",
  api: "`fetchEventSource()`",
  method: "POST",
  protocol: plainEvents,
  atCut: "resumes",
  async read({ url, load, onWord }) {
    const { fetchEventSource } = await load("@microsoft/fetch-event-source");
    // Its timers are those of `window`, and it is told that the page stays visible.
    Object.assign(globalThis, { window: globalThis, document: new EventTarget() });
    const controller = new AbortController();
    await fetchEventSource(url, {
      method: "POST",
      fetch,
      openWhenHidden: true,
      signal: controller.signal,
      onmessage({ event, data }: Any) {
        if (event === "word") onWord(data);
        if (event === "done") controller.abort();
      },
    });
  },
};
