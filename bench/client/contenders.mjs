// The clients that are compared, each with one way to receive events. The same module runs on Node and in a page.
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSource as EventSourcePackage } from "eventsource";
import { createEventSource } from "eventsource-client";
import { subscribe } from "sourcecast/client";
import { EventSource as OwnEventSource } from "sourcecast/eventsource";

// The package is for browsers only. On Node it needs these two.
globalThis.window ??= /** @type {any} */ (globalThis);
globalThis.document ??= /** @type {any} */ ({ hidden: false, addEventListener() {}, removeEventListener() {} });

/** @typedef {(url: string, onEvent: (data: string) => void) => () => void} Open Receives events of the type `price`. */

/** @param {new (url: string) => EventTarget & { close(): void }} Class @returns {Open} */
function classOpener(Class) {
  return (url, onEvent) => {
    const source = new Class(url);
    source.addEventListener("price", (event) => onEvent(/** @type {MessageEvent} */ (event).data));
    return () => source.close();
  };
}

/** In the order of the tables. @type {Record<string, Open>} */
export const contenders = {
  "sourcecast: subscribe()": (url, onEvent) => {
    const stream = subscribe(url, { share: false });
    stream.on("price", (data) => onEvent(data));
    return () => stream.close();
  },
  "sourcecast: batches()": (url, onEvent) => {
    const stream = subscribe(url, { share: false });
    const receive = async () => {
      for await (const batch of stream.batches()) for (const { data } of batch) onEvent(data);
    };
    receive();
    return () => stream.close();
  },
  "sourcecast: EventSource": classOpener(OwnEventSource),
  "eventsource 5": classOpener(/** @type {any} */ (EventSourcePackage)),
  "eventsource-client": (url, onEvent) => {
    const source = createEventSource({ url, onMessage: ({ data }) => onEvent(data) });
    return () => source.close();
  },
  "fetch-event-source": (url, onEvent) => {
    const abort = new AbortController();
    fetchEventSource(url, {
      signal: abort.signal,
      openWhenHidden: true,
      onmessage: ({ event, data }) => event === "price" && onEvent(data),
    }).catch(() => {});
    return () => abort.abort();
  },
  ...(typeof globalThis.EventSource === "function" && { "the browser's own": classOpener(globalThis.EventSource) }),
};

/**
 * Receives so many events.
 *
 * @param {string} name
 * @param {string} url
 * @param {number} count
 * @returns {Promise<number>} seconds from the first to the last
 */
export function receive(name, url, count) {
  return new Promise((resolve) => {
    let received = 0;
    let start = 0;
    const close = contenders[name]?.(url, (data) => {
      if (received++ === 0) start = performance.now();
      if (data.length === 0) throw new Error("An event has lost its data");
      if (received !== count) return;
      const seconds = (performance.now() - start) / 1_000;
      close?.();
      resolve(seconds);
    });
  });
}
