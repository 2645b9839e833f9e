// Which channels one connection may read: the answers of `authorize()`, and asking for them.
import type { CapturedContext } from "../../base/async-context.ts";
import { isPromise, withDeadline } from "../../base/deadline.ts";
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
  #reauthorizing: Promise<Answer> | null = null;

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
   * Answers at once if `authorize()` does. A call that is still under way is shared, so that calls do not pile up on an
   * application that hangs.
   */
  reauthorize(channels: readonly string[]): Answer | Promise<Answer> {
    if (this.#reauthorizing !== null) return this.#reauthorizing;
    const answer = this.#askForAll(channels, 0, new Map());
    if (!isPromise(answer)) return answer;
    this.#reauthorizing = answer.finally(() => {
      this.#reauthorizing = null;
    });
    return this.#reauthorizing;
  }

  /** Asks one after the other: the first answer other than true decides. Only a full set replaces the old answers. */
  #askForAll(channels: readonly string[], first: number, answers: Map<string, boolean>): Answer | Promise<Answer> {
    if (this.#context.authorize === undefined) return true;
    for (let index = first; index < channels.length; index++) {
      const channel = channels[index] as string;
      const answer = this.#ask(channel);
      if (isPromise(answer)) {
        const goOn = () => this.#askForAll(channels, index + 1, answers.set(channel, true));
        return answer.then((settled) => (settled === true ? goOn() : settled));
      }
      if (answer !== true) return answer;
      answers.set(channel, answer);
    }
    this.#answers = answers;
    return true;
  }

  #ask(channel: string): Answer | Promise<Answer> {
    const { authorize, limits, onError } = this.#context;
    const question = { request: this.#request, channel };
    const fail = (error: unknown): null => {
      onError(error, { stage: "authorize" });
      return null;
    };
    try {
      const asked = authorize && this.#asyncContext.runInAsyncScope(authorize, undefined, question);
      const answer = withDeadline(asked, limits.callbackTimeout, "authorize()", "limits.callbackTimeout");
      return isPromise(answer) ? answer.then((settled) => settled === true, fail) : answer === true;
    } catch (error) {
      return fail(error);
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

/** `null` when `authorize()` failed or did not settle in time: the caller must not grant anything then. */
type Answer = boolean | null;

/** The parts of the hub that permissions use. */
export interface PermissionsContext extends Pick<ResolvedHubOptions, "authorize" | "limits" | "onError"> {}
