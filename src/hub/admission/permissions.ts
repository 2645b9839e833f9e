import type { RequestLike } from "../../http/request.ts";
import type { Authorize, OnError } from "../options.ts";
import { isInternal } from "../selection.ts";

/** What one connection may follow. The answers are kept until the next time that all is asked for anew. */
export class Permissions {
  readonly #authorize: Authorize | undefined;
  readonly #request: RequestLike;
  readonly #onError: OnError;
  #answers: Map<string, boolean> | null = null;

  constructor(authorize: Authorize | undefined, request: RequestLike, onError: OnError) {
    this.#authorize = authorize;
    this.#request = request;
    this.#onError = onError;
  }

  /** Whether a channel may be read; `undefined` when that has not been asked yet. */
  cached(channel: string): boolean | undefined {
    if (isInternal(channel)) return false;
    return this.#authorize === undefined ? true : this.#answers?.get(channel);
  }

  /** Asks for a channel unless the answer is there. False when there was none: then nothing may be read or passed over. */
  async check(channel: string): Promise<boolean> {
    if (this.cached(channel) !== undefined) return true;
    const answer = await this.#answer(channel);
    if (answer === null) return false;
    this.#answers ??= new Map();
    this.#answers.set(channel, answer);
    return true;
  }

  /**
   * Asks for all of them anew, and for anything else when it comes up. True when all may be read, `null` when that could
   * not be found out.
   */
  async reauthorize(channels: readonly string[]): Promise<boolean | null> {
    if (this.#authorize === undefined) return true;
    const answers = new Map<string, boolean>();
    for (const channel of channels) {
      const answer = await this.#answer(channel);
      if (answer !== true) return answer;
      answers.set(channel, answer);
    }
    this.#answers = answers;
    return true;
  }

  async #answer(channel: string): Promise<boolean | null> {
    try {
      return (await this.#authorize?.({ request: this.#request, channel })) === true;
    } catch (error) {
      this.#onError(error, { stage: "authorize" });
      return null;
    }
  }
}
