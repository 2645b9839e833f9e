import type { ServerResponse } from "node:http";

const mostCut = 1_000;

/**
 * The lines to the windows, so that one can be cut: its connection is destroyed, and so is every attempt of the browser to
 * come back, as if the cable had been pulled.
 */
export class Lines {
  readonly #open = new Map<string, ServerResponse>();
  readonly #cut = new Set<string>();

  /** @returns false for a window whose line is cut. */
  connect(windowId: string, response: ServerResponse): boolean {
    if (this.#cut.has(windowId)) {
      response.destroy();
      return false;
    }
    this.#open.set(windowId, response);
    response.on("close", () => {
      if (this.#open.get(windowId) === response) this.#open.delete(windowId);
    });
    return true;
  }

  cut(windowId: string): void {
    const response = this.#open.get(windowId);
    if (response === undefined || this.#cut.size === mostCut) return;
    this.#cut.add(windowId);
    response.destroy();
  }

  mend(windowId: string): void {
    this.#cut.delete(windowId);
  }
}
