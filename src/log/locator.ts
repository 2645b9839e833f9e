// Questions of reconnecting clients, gathered: those of one tick share one round trip to the store.
import { setImmediateOrTimeout } from "../base/clock.ts";
import type { Head, LocateAnswer, LocateQuestion, LocatingLog } from "./log.ts";

/** The position of a log, and its answer to one client's question. */
export interface Location {
  /** The newest position at the moment of the answer. */
  readonly head: Head;
  /** The answer to the question. */
  readonly answer: LocateAnswer;
}

/** Most questions of one call. */
const maxQuestionsPerCall = 1_024;

/** Asks `locate` for many clients at once. Calls do not wait for one another. */
export class Locator {
  readonly #log: LocatingLog;
  #waiting: Waiting[] = [];

  /** @param log The log that is asked; `completeLog` makes one of any log. */
  constructor(log: LocatingLog) {
    this.#log = log;
  }

  /** Resolves with the answer, or rejects with the failure of the call that carried the question. */
  ask(question: LocateQuestion): Promise<Location> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      if (this.#waiting.length === 1) setImmediateOrTimeout(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < waiting.length; at += maxQuestionsPerCall) {
      void this.#locate(waiting.slice(at, at + maxQuestionsPerCall));
    }
  }

  async #locate(waiting: readonly Waiting[]): Promise<void> {
    try {
      const { head, answers } = await this.#log.locate(waiting.map(({ question }) => question));
      for (const [index, { resolve }] of waiting.entries()) resolve({ head, answer: answers[index] as LocateAnswer });
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}

interface Waiting {
  readonly question: LocateQuestion;
  resolve(location: Location): void;
  reject(error: unknown): void;
}
