// Listeners by type. One that throws is reported, and does not affect the others.

export class Listeners<Args extends unknown[]> {
  readonly #byType = new Map<string, Set<(...args: Args) => void>>();

  /** @returns Removes the listener. */
  add(type: string, listener: (...args: Args) => void): () => void {
    // The same function may listen twice, and is removed once for each.
    const entry = (...args: Args): void => listener(...args);
    const listeners = this.#byType.get(type) ?? new Set();
    this.#byType.set(type, listeners.add(entry));
    return () => {
      if (listeners.delete(entry) && listeners.size === 0 && this.#byType.get(type) === listeners) {
        this.#byType.delete(type);
      }
    };
  }

  /** Calls the listeners of a type, and those of `"*"`. */
  call(type: string, ...args: Args): void {
    this.#callAll(this.#byType.get(type), args);
    if (type !== "*") this.#callAll(this.#byType.get("*"), args);
  }

  #callAll(listeners: Set<(...args: Args) => void> | undefined, args: Args): void {
    for (const listener of listeners ?? []) {
      try {
        listener(...args);
      } catch (error) {
        reportListenerError(error);
      }
    }
  }
}

/** As browsers report what a listener throws: as an error of the program, which does not end it. */
export function reportListenerError(error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void };
  if (reportError !== undefined) reportError(error);
  // biome-ignore lint/suspicious/noConsole: Node has no reportError(), and the error would be hidden
  else console.error("sourcecast: a listener of a stream threw", error);
}
