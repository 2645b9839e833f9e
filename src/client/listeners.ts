// Listeners by type. One that throws is reported, and does not affect the others.
import { quote, SourcecastTypeError } from "../base/errors.ts";

/**
 * Listeners by type, called in the order in which they were added, those of the type before those of `"*"`. A `Set` is read as
 * it changes: a listener that is removed during a call is not called any more, and one that is added to the same type then is
 * called for this event already, unlike one of an `EventTarget`.
 */
export class Listeners<T> {
  readonly #byType = new Map<string, Set<Entry<T>>>();
  /** The type of the last call, and the listeners that were found for it: most events have the type of the one before. */
  #type = "";
  #ofType: Set<Entry<T>> | undefined;
  #ofAll: Set<Entry<T>> | undefined;

  /** @returns Removes the listener. */
  add(type: string, listener: (value: T) => void): () => void {
    // An event without a type is a `message`, so no event has the empty one.
    if (typeof type !== "string" || type === "") {
      throw new SourcecastTypeError(
        "ERR_SSE_ARGUMENT",
        `The event type is ${quote(type)}; pass a name, or "*" for all`,
      );
    }
    assertFunction(listener);
    // The same function may listen twice, and is removed once for each.
    const entry = { listener };
    const listeners = this.#byType.get(type) ?? new Set();
    this.#byType.set(type, listeners.add(entry));
    this.#type = "";
    return () => {
      // Types may be as many as there are orders or users, so an empty set is not kept.
      if (listeners.delete(entry) && listeners.size === 0 && this.#byType.get(type) === listeners) {
        this.#byType.delete(type);
      }
    };
  }

  /** Calls the listeners of a type, and those of `"*"`. */
  call(type: string, value: T): void {
    if (type !== this.#type) {
      this.#type = type;
      this.#ofType = this.#byType.get(type);
      this.#ofAll = type === "*" ? undefined : this.#byType.get("*");
    }
    // A listener may cause another call.
    const ofAll = this.#ofAll;
    this.#callAll(this.#ofType, value);
    this.#callAll(ofAll, value);
  }

  #callAll(entries: Set<Entry<T>> | undefined, value: T): void {
    if (entries === undefined) return;
    for (const { listener } of entries) {
      try {
        listener(value);
      } catch (error) {
        reportListenerError(error);
      }
    }
  }
}

/**
 * Bindings check at once what they call later.
 *
 * @param role Its name in the error.
 * @throws {SourcecastTypeError} `ERR_SSE_ARGUMENT` for anything but a function.
 */
export function assertFunction(value: unknown, role = "listener"): void {
  if (typeof value === "function") return;
  throw new SourcecastTypeError("ERR_SSE_ARGUMENT", `The ${role} is ${quote(value)}; pass a function`);
}

/**
 * Reports what a listener throws. In a document it becomes an error of the page, as with any event target. Elsewhere it
 * goes to the console: `reportError()` ends the process on Bun and Deno, and a single listener must not end a server.
 */
export function reportListenerError(error: unknown): void {
  const { document, reportError } = globalThis as { document?: object; reportError?: (error: unknown) => void };
  if (document !== undefined && reportError !== undefined) reportError(error);
  // biome-ignore lint/suspicious/noConsole: there is no other place where the application would see it
  else console.error("sourcecast: a listener of a stream threw", error);
}

interface Entry<T> {
  readonly listener: (value: T) => void;
}
