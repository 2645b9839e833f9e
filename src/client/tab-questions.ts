// The functions of an application, such as headers(), for a connection that serves several tabs: they are called in a live tab.
import type { ResolvedSubscribeOptions } from "./options.ts";
import type { HeadersLike, PerAttempt } from "./request.ts";
import type { TabMessage, TabRequest } from "./tab-messages.ts";
import type { TabContext } from "./tab-parts.ts";

/** A tab that does not answer within this time may be frozen, or its function may never settle. The next one is asked. */
const answerMs = 5_000;

/** Both ends: a worker or a leader asks, and tabs answer. */
export class Questions {
  readonly #context: TabContext;
  readonly #id: string;
  readonly #post: (message: TabMessage) => void;
  /** By number. An answer that comes after the time finds none, and is ignored. */
  readonly #pending = new Map<number, (answer: Answer) => void>();
  /** Not from 0 on: a question of an earlier worker may be answered late. */
  #number: number;

  constructor(context: TabContext, id: string, post: (message: TabMessage) => void) {
    this.#context = context;
    this.#id = id;
    this.#post = post;
    this.#number = context.environment.random();
  }

  /** @throws {StreamError} if no tab answers, or if the functions of the last one fail. */
  async ask(tabs: Iterable<string>): Promise<TabRequest> {
    let failure = "no tab has answered in time";
    for (const tab of tabs) {
      const { request, error } = await this.#askOne(tab);
      if (request !== null) return request;
      failure = error;
    }
    throw new this.#context.parts.StreamError("request", `No tab could provide the request: ${failure}`);
  }

  /** Never rejects: a failure of one tab is the reason to ask the next. */
  #askOne(tab: string): Promise<Answer> {
    const number = ++this.#number;
    return new Promise((resolve) => {
      // The first of two: the answer, or the end of the time.
      const settle = (answer: Answer): void => {
        this.#pending.delete(number);
        cancel();
        resolve(answer);
      };
      const cancel = this.#context.environment.after(answerMs, () =>
        settle({ request: null, error: `a tab has not answered within ${answerMs} ms` }),
      );
      this.#pending.set(number, settle);
      this.#post({ kind: "ask", to: tab, number });
    });
  }

  receive(message: Extract<TabMessage, { kind: "ask" | "answer" }>): void {
    if (message.kind === "answer") this.#pending.get(message.number)?.(message);
    else if (message.to === this.#id) void this.#answer(message.number);
  }

  /** The address is resolved here: a worker has another base than the page. */
  async #answer(number: number): Promise<void> {
    try {
      const { url, headers, body } = this.#context.options;
      // At the same time, as for a connection of this tab.
      const [address, given, content] = await Promise.all([resultOf(url), resultOf(headers), resultOf(body)]);
      const { document, location } = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
      const request = {
        url: new URL(address, document?.baseURI ?? location?.href).href,
        headers: [...new Headers(given as HeadersLike | undefined)],
        body: content ?? null,
      };
      this.#post({ kind: "answer", number, request, error: "" });
    } catch (error) {
      this.#post({ kind: "answer", number, request: null, error: String((error as Error)?.message ?? error) });
    }
  }
}

/**
 * The options of a tab that leads. Its own functions are called first. If one has not settled in time, which would keep all tabs
 * waiting, another tab is asked as well, and the first answer counts.
 *
 * @param ask Asks the other tabs. If none of them answers, the wait for this tab's own function continues.
 */
export function askInTime(
  { options, environment }: TabContext,
  ask: () => Promise<TabRequest>,
): ResolvedSubscribeOptions {
  const inTime = <Own, Other>(
    value: PerAttempt<Own> | undefined,
    partOf: (request: TabRequest) => Other,
  ): PerAttempt<Own | Other> | undefined => {
    if (typeof value !== "function") return value;
    return () =>
      new Promise((resolve, reject) => {
        const cancel = environment.after(answerMs, () => {
          ask().then(
            (request) => resolve(partOf(request)),
            () => {},
          );
        });
        resultOf(value as PerAttempt<Own>)
          .then(resolve, reject)
          .finally(cancel);
      });
  };
  return {
    ...options,
    url: inTime(options.url, ({ url }) => url) ?? options.url,
    headers: inTime(options.headers, ({ headers }) => headers),
    body: inTime(options.body, ({ body }) => body),
  };
}

type Answer = Pick<Extract<TabMessage, { kind: "answer" }>, "request" | "error">;

async function resultOf<T>(value: PerAttempt<T>): Promise<T> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}
