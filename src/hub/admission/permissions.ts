// Which channels one connection may read: the answers of `authorize()`, and asking for them.
import type { CapturedContext } from "../../base/async-context.ts";
import { withDeadline } from "../../base/deadline.ts";
import type { RequestLike } from "../../http/request.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import { isInternal } from "../selection.ts";

/** Under a prefix there is no end of channels. The oldest answers are forgotten, and asked for again. */
const maxCachedAnswers = 1_024;

/**
 * The permissions of one connection. Answers are cached until all of them are checked again, since delivery needs them in
 * the tick in which an entry arrives: {@link cached} is synchronous, and a subscription lags while an answer is missing.
 */
export class Permissions {
  readonly #context: PermissionsContext;
  readonly #request: RequestLike;
  readonly #asyncContext: CapturedContext;
  /** `null` until the first answer, which a hub without `authorize` never needs. */
  #answers: Map<string, boolean> | null = null;
  #reauthorizing: Promise<boolean | null> | null = null;

  /** @param asyncContext Where `authorize()` runs: that of the request. */
  constructor(context: PermissionsContext, request: RequestLike, asyncContext: CapturedContext) {
    this.#context = context;
    this.#request = request;
    this.#asyncContext = asyncContext;
  }

  /** Whether a channel may be read; `undefined` when `authorize()` has yet to be asked: then the entry has to wait. */
  cached(channel: string): boolean | undefined {
    if (isInternal(channel)) return false;
    return this.#context.authorize === undefined ? true : this.#answers?.get(channel);
  }

  /** Asks for a channel unless the answer is cached. False without an answer: then nothing may be read or skipped. */
  async check(channel: string): Promise<boolean> {
    if (this.cached(channel) !== undefined) return true;
    const answer = await this.#ask(channel);
    if (answer === null) return false;
    this.#answers ??= new Map();
    this.#remember(channel, answer);
    return true;
  }

  /**
   * Asks for all channels again, and forgets the answers for any other. True when all may be read, `null` without an answer.
   * A call that is still under way is shared, so that calls do not pile up on an application that hangs.
   */
  reauthorize(channels: readonly string[]): Promise<boolean | null> {
    this.#reauthorizing ??= this.#askForAll(channels).finally(() => {
      this.#reauthorizing = null;
    });
    return this.#reauthorizing;
  }

  /** Asks one after the other: the first answer other than true decides. Only a full set replaces the old answers. */
  async #askForAll(channels: readonly string[]): Promise<boolean | null> {
    if (this.#context.authorize === undefined) return true;
    const answers = new Map<string, boolean>();
    for (const channel of channels) {
      const answer = await this.#ask(channel);
      if (answer !== true) return answer;
      answers.set(channel, answer);
    }
    this.#answers = answers;
    return true;
  }

  /** `null` when `authorize()` failed or did not settle in time: whoever asks must not grant anything then. */
  async #ask(channel: string): Promise<boolean | null> {
    const { authorize, limits, onError } = this.#context;
    const question = { request: this.#request, channel };
    try {
      const answer = authorize && this.#asyncContext.runInAsyncScope(authorize, undefined, question);
      return (await withDeadline(answer, limits.callbackTimeout, "authorize()", "limits.callbackTimeout")) === true;
    } catch (error) {
      onError(error, { stage: "authorize" });
      return null;
    }
  }

  #remember(channel: string, answer: boolean): void {
    const answers = this.#answers as Map<string, boolean>;
    answers.set(channel, answer);
    if (answers.size <= maxCachedAnswers) return;
    const [oldest] = answers.keys();
    answers.delete(oldest as string);
  }
}

/** The parts of the hub that permissions use. */
export interface PermissionsContext extends Pick<ResolvedHubOptions, "authorize" | "limits" | "onError"> {}
