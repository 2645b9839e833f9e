// The questions that the log is asked for connecting clients: those of one tick share one call.
import { runDetached } from "../../base/async-context.ts";
import { now, setImmediateOrTimeout } from "../../base/clock.ts";
import type { ChannelSelection, Head, LocateAnswer, LocateQuestion } from "../../log/log.ts";
import { expectFlush } from "../../sinks/flush.ts";
import { formatCursor } from "../../wire/cursor.ts";
import type { Feed } from "../feed/feed.ts";
import type { LogDeadline } from "../log-deadline.ts";
import { selectionKey } from "../selection.ts";

/**
 * Most questions of one call: an embedded log answers them all before anything else happens. After a restart, all clients
 * of a process come at once, and the event loop must still get its turns.
 */
const maxQuestionsPerCall = 512;

/**
 * How many turns of the event loop a call waits for further questions, as long as each turn brings some. A log answers ten
 * questions in little more time than one, and in a storm a turn brings one or two. Otherwise a call waits for nothing.
 */
const maxTurnsPerCall = 8;

/** After this many calls with pauses of less than a millisecond, it is a storm. */
const stormCalls = 8;
const stormPauseMs = 1;

/** The sequence started over while the log was asked. No number of restarts equals it, so the answer is stale. */
const outOfDate = -1;

const noChannels: ChannelSelection = { channels: [], prefixes: [] };

/**
 * Asks the primary once for everything that a client needs to know: where the log stands, whether the client's position is
 * part of it, which channels have ended, and whether there are values. Each call also checks the newest entry that this
 * process has delivered: otherwise a client could be verified against a log that lost its newest entries, and then be sent
 * the lost ones from the ring, which still holds them.
 */
export class Locator {
  readonly #feed: Feed;
  readonly #deadline: LogDeadline;
  /** The questions of this tick. Clients with the same channels and the same position have the same one. */
  readonly #waiting = new Map<string, Waiting>();
  /** Questions that came since the last turn, those included that had been asked already. */
  #newQuestions = 0;
  /** Turns that the next call may still wait. */
  #turnsLeft = 0;
  #lastCall = Number.NEGATIVE_INFINITY;
  /** How many calls have followed each other without a longer pause. */
  #quickCalls = 0;

  constructor(feed: Feed, deadline: LogDeadline) {
    this.#feed = feed;
    this.#deadline = deadline;
  }

  /** @throws {SourcecastError} when the log fails, or does not answer within `limits.logTimeout`. */
  ask(question: LocateQuestion): Promise<Location> {
    const { cursor, selection } = question;
    const key = cursor === null ? selectionKey(selection) : `${selectionKey(selection)}\n${formatCursor(cursor)}`;
    this.#newQuestions++;
    const asked = this.#waiting.get(key);
    if (asked !== undefined) return asked.answer;
    const { promise: answer, resolve, reject } = Promise.withResolvers<Location>();
    this.#waiting.set(key, { question, answer, resolve, reject });
    if (this.#waiting.size === 1) {
      this.#quickCalls = now() - this.#lastCall < stormPauseMs ? this.#quickCalls + 1 : 0;
      this.#turnsLeft = this.#quickCalls > stormCalls ? maxTurnsPerCall : 0;
      this.#requestTurn();
    }
    return answer;
  }

  /** Whether the log still has, now, the newest entry that this process has delivered. */
  async confirm(): Promise<boolean> {
    const { anchor } = this.#feed.check();
    const { answer } = await this.ask({ cursor: anchor, selection: noChannels });
    return answer.verification === "same";
  }

  /** Detached: the timer serves many requests, and must not keep the context of the first one alive. */
  #requestTurn(): void {
    runDetached(() => {
      setImmediateOrTimeout(this.#onTurn);
      // The answers of an embedded log open streams in that very turn.
      expectFlush();
    });
  }

  readonly #onTurn = (): void => {
    const isLast = this.#newQuestions === 0 || this.#turnsLeft === 0 || this.#waiting.size >= maxQuestionsPerCall;
    this.#turnsLeft--;
    this.#newQuestions = 0;
    if (isLast) this.#askNext();
    else this.#requestTurn();
  };

  /** One call in each turn of the event loop. Calls do not wait for one another: one that hangs delays only its clients. */
  #askNext(): void {
    this.#turnsLeft = 0;
    this.#lastCall = now();
    const asked: Waiting[] = [];
    for (const [key, waiting] of this.#waiting) {
      if (asked.length === maxQuestionsPerCall) break;
      asked.push(waiting);
      this.#waiting.delete(key);
    }
    if (this.#waiting.size > 0) this.#requestTurn();
    void this.#call(asked);
  }

  /**
   * An answer is of use only if the sequence did not start over between the question and the answer. Whether it did is read
   * before `confirm`, which may start it over itself: because of this very answer, which then is current.
   */
  async #call(asked: readonly Waiting[]): Promise<void> {
    const { anchor, confirm } = this.#feed.check();
    const { restarts } = this.#feed;
    const questions = [...asked.map(({ question }) => question), { cursor: anchor, selection: noChannels }];
    try {
      const { head, answers } = await this.#deadline.limit(this.#feed.log.locate(questions), "log.locate()");
      const isCurrent = restarts === this.#feed.restarts;
      confirm(head, (answers[asked.length] as LocateAnswer).verification);
      const asOf = isCurrent ? this.#feed.restarts : outOfDate;
      for (const [index, { resolve }] of asked.entries())
        resolve({ head, answer: answers[index] as LocateAnswer, asOf });
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}

/** The answer to one question. */
export interface Location {
  readonly head: Head;
  readonly answer: LocateAnswer;
  /** The `restarts` of the feed that the answer belongs to. */
  readonly asOf: number;
}

interface Waiting {
  readonly question: LocateQuestion;
  readonly answer: Promise<Location>;
  resolve(location: Location): void;
  reject(error: unknown): void;
}
