// The questions of connecting clients on their way to a remote store: those that come while others are answered share a call.
import { aFunction } from "../base/options.ts";
import type { Located, LocateQuestion } from "./log.ts";

/** Calls under way at the same time. With a second one, a slow answer does not keep all others waiting. */
const maxCalls = 2;
/** Questions of one call. */
const maxQuestions = 2_048;

/** Answers several questions, as `locate` of a log does. */
export type AskLocate = (questions: readonly LocateQuestion[]) => Promise<Located>;

/**
 * Gathers questions while the store answers others. A hub asks once in each turn of its event loop, which may be a thousand
 * times per second in a storm. With the queue, the number of calls depends on the speed of the store, not on the number of
 * turns.
 */
export class LocateQueue {
  readonly #ask: AskLocate;
  #waiting: Waiting[] = [];
  #calls = 0;

  /**
   * @param ask Asks the store, in one round trip.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for anything but a function.
   */
  constructor(ask: AskLocate) {
    aFunction(ask, "ask");
    this.#ask = ask;
  }

  /** Resolves with the answers to these questions, in the same order. All of them describe one state of the log. */
  locate(questions: readonly LocateQuestion[]): Promise<Located> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ questions, resolve, reject });
      this.#callNext();
    });
  }

  #callNext(): void {
    if (this.#calls === maxCalls || this.#waiting.length === 0) return;
    let count = 0;
    const end = this.#waiting.findIndex(({ questions }, index) => {
      count += questions.length;
      return index > 0 && count > maxQuestions;
    });
    const asked = this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
    void this.#call(asked);
  }

  async #call(asked: readonly Waiting[]): Promise<void> {
    this.#calls++;
    try {
      const { head, answers } = await this.#ask(asked.flatMap(({ questions }) => questions));
      let from = 0;
      for (const { questions, resolve } of asked) {
        resolve({ head, answers: answers.slice(from, from + questions.length) });
        from += questions.length;
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
    this.#calls--;
    this.#callNext();
  }
}

interface Waiting {
  readonly questions: readonly LocateQuestion[];
  resolve(located: Located): void;
  reject(error: unknown): void;
}
