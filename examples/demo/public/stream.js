// The window's stream. htmx opens an EventSource for it; this gives it one over the client of the package, which has a status
// and reports losses, and which backs off instead of asking a dead server again and again.
import { subscribe } from "/sourcecast/client/index.js";

/** Dispatches the events `status` and `loss` of the client, each with a `detail`. */
export const stream = new EventTarget();

/** As much of an EventSource as htmx uses. */
class Source {
  onopen = null;
  onerror = null;
  readyState = EventSource.CONNECTING;
  #subscription;
  #removers = new Map();

  constructor(url) {
    this.#subscription = subscribe(url, { retry: { initial: "500ms", max: "3s" } });
    this.#subscription.onStatus((status) => this.#onStatus(status));
    this.#subscription.onLoss((detail) => stream.dispatchEvent(new CustomEvent("loss", { detail })));
    // htmx adds its listeners in this turn, before the stream connects.
    this.#subscription.on("*", () => {});
  }

  addEventListener(type, listener) {
    this.#removers.set(
      listener,
      this.#subscription.on(type, (_, event) => listener(event)),
    );
  }

  removeEventListener(_, listener) {
    this.#removers.get(listener)?.();
    this.#removers.delete(listener);
  }

  close() {
    this.#subscription.close();
  }

  /** The status first: what htmx tells of its own events then finds it up to date. */
  #onStatus(status) {
    const { state } = status;
    stream.dispatchEvent(new CustomEvent("status", { detail: status }));
    if (state === "open" && this.readyState !== EventSource.OPEN) {
      this.readyState = EventSource.OPEN;
      this.onopen?.(new Event("open"));
    } else if (state === "retrying" || state === "offline" || state === "closed") {
      this.readyState = state === "closed" ? EventSource.CLOSED : EventSource.CONNECTING;
      this.onerror?.(new Event("error"));
    }
  }
}

htmx.createEventSource = (url) => new Source(url);
