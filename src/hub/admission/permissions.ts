// Which channels one connection may read: the answers of `authorize()`, and asking for them.
import type { CapturedContext } from "../../base/async-context.ts";
import { isPromise, withDeadline } from "../../base/deadline.ts";
import type { RequestLike } from "../../http/request.ts";
import type { ChannelSelection } from "../../log/log.ts";
import { type ChannelMatcher, compileSelection } from "../../log/selection.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import { isInternal } from "../selection.ts";

/** Under a prefix there is no end of channels. The oldest answers are forgotten, and asked for again. */
const maxCachedAnswers = 1_024;

/** Which channels a connection may read. */
export interface Permissions {
  /** Whether a channel may be read; `undefined` if `authorize()` has yet to be called: then the entry has to wait. */
  cached(channel: string): boolean | undefined;
  /** Asks for a channel unless the answer is cached. False without an answer: then nothing may be read or skipped. */
  check(channel: string): Promise<boolean>;
  /**
   * Asks for channels again, and forgets the answers for any other. Answers at once if `authorize()` does. A call that is
   * still under way is shared, so that calls do not pile up on an application that hangs.
   *
   * @param isEach Asks for every channel; otherwise the first one that may not be read ends the asking.
   * @returns The channels that may be read, `null` without an answer.
   */
  reauthorize(channels: readonly string[], isEach: boolean): Answers | Promise<Answers>;
  /** From now on nothing but these channels may be read, whatever the application would answer. */
  restrictTo(selection: ChannelSelection): void;
}

/** The permissions of all connections for which the application is not asked: one object, without state. */
export const allPermissions: Permissions = {
  cached: (channel) => !isInternal(channel),
  check: () => Promise.resolve(true),
  reauthorize: (channels) => channels,
  restrictTo: () => {
    throw new Error("Nothing is asked for these permissions, so nothing can be taken away from them");
  },
};

/**
 * The permissions of one connection. Answers are cached until all of them are checked again, since delivery needs them in
 * the tick in which an entry arrives: {@link cached} is synchronous, and a subscription lags while an answer is missing.
 */
export class AskedPermissions implements Permissions {
  readonly #context: PermissionsContext;
  readonly #request: RequestLike;
  readonly #asyncContext: CapturedContext;
  /** `null` until the first answer. */
  #answers: Map<string, boolean> | null = null;
  /** Set once one of the channels may not be read any more. */
  #selects: ChannelMatcher | null = null;
  #reauthorizing: Promise<Answers> | null = null;

  /** @param asyncContext Where `authorize()` runs: that of the request. */
  constructor(context: PermissionsContext, request: RequestLike, asyncContext: CapturedContext) {
    this.#context = context;
    this.#request = request;
    this.#asyncContext = asyncContext;
  }

  cached(channel: string): boolean | undefined {
    return isInternal(channel) || this.#selects?.(channel) === false ? false : this.#answers?.get(channel);
  }

  async check(channel: string): Promise<boolean> {
    if (this.cached(channel) !== undefined) return true;
    const answer = await this.#ask(channel);
    if (answer === null) return false;
    this.#answers ??= new Map();
    this.#remember(channel, answer);
    return true;
  }

  reauthorize(channels: readonly string[], isEach: boolean): Answers | Promise<Answers> {
    if (this.#reauthorizing !== null) return this.#reauthorizing;
    const answers = this.#askForAll(channels, isEach, 0, []);
    if (!isPromise(answers)) return answers;
    this.#reauthorizing = answers.finally(() => {
      this.#reauthorizing = null;
    });
    return this.#reauthorizing;
  }

  restrictTo(selection: ChannelSelection): void {
    this.#selects = compileSelection(selection);
  }

  /** Asks one after the other. Only a full set replaces the old answers. */
  #askForAll(
    channels: readonly string[],
    isEach: boolean,
    first: number,
    allowed: readonly string[],
  ): Answers | Promise<Answers> {
    let known = allowed;
    for (let index = first; index < channels.length; index++) {
      const channel = channels[index] as string;
      const answer = this.#ask(channel);
      if (isPromise(answer)) {
        const before = known;
        return answer.then((settled) => {
          if (settled === null || !(settled || isEach)) return settled === null ? null : before;
          return this.#askForAll(channels, isEach, index + 1, settled ? [...before, channel] : before);
        });
      }
      if (answer === null) return null;
      if (answer) known = [...known, channel];
      else if (!isEach) return known;
    }
    this.#answers = new Map(known.map((channel) => [channel, true]));
    return known;
  }

  /** Calls `authorize()` in the context of the request. An error goes to `onError`, and permits nothing. */
  #ask(channel: string): Answer | Promise<Answer> {
    const { authorize, limits, onError } = this.#context;
    const question = { request: this.#request, channel };
    const fail = (error: unknown): null => {
      onError(error, { stage: "authorize" });
      return null;
    };
    try {
      const asked = this.#asyncContext.runInAsyncScope(authorize, undefined, question);
      const answer = withDeadline(asked, limits.callbackTimeout, "authorize()", "limits.callbackTimeout");
      return isPromise(answer) ? answer.then((settled) => settled === true, fail) : answer === true;
    } catch (error) {
      return fail(error);
    }
  }

  /** The order of a `Map` is that of the first answers, so its first key is the oldest. */
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

/** The channels that may be read, `null` without an answer. */
type Answers = readonly string[] | null;

/** The parts of the hub that permissions use. */
export interface PermissionsContext extends Pick<ResolvedHubOptions, "limits" | "onError"> {
  readonly authorize: NonNullable<ResolvedHubOptions["authorize"]>;
}
