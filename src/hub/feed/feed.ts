// The entries of the log as they arrive in this process, with every break in their sequence.
import { runDetached } from "../../base/async-context.ts";
import { unrefTimeout } from "../../base/clock.ts";
import { clearType } from "../../log/cleared.ts";
import type { CompleteLog } from "../../log/complete.ts";
import type { Head, LocateAnswer, LogEntry, Position } from "../../log/log.ts";
import { headPosition } from "../../wire/cursor.ts";
import type { LogDeadline } from "../log-deadline.ts";
import type { LogHealth } from "../log-health.ts";
import type { OnError } from "../options.ts";
import { CheckedTail, type Hole } from "./checked-tail.ts";
import type { FrameRing, RingEntry } from "./frame-ring.ts";

/** How long to wait before a tail that could not be started is tried again. */
const tailRetryMs = 1_000;

/** How many missing stretches are remembered. Beyond that, the two oldest become one. */
const maxHoles = 16;

/**
 * One tail, whatever the number of connections. Each entry goes into the ring and to the observers. It vouches for the
 * entry before it, so that a log that was rewritten while this process runs is not mistaken for a continuation.
 *
 * A loss shows in two ways, in any order: the tail delivers other entries, or an answer to a question denies the ring's
 * newest entry ({@link Feed.check}). The first of them starts the sequence over and counts a restart. That number dates all
 * questions, so that the second one, and answers that are still on their way, are recognized as out of date.
 */
export class Feed {
  readonly log: CompleteLog;
  readonly ring: FrameRing;
  /** Called one after the other, in the order in which they were added. */
  readonly observers: Set<FeedObserver> = new Set();
  /** Stretches that the log has lost from the middle of its sequence, oldest first. */
  #holes: Hole[] = [];
  /** Epochs that the log had before, as far as this process has seen them. */
  readonly #pastEpochs = new Set<string>();
  /** How often the sequence has started over. */
  #restarts = 0;
  readonly #deadline: LogDeadline;
  readonly #health: LogHealth;
  readonly #onError: OnError;
  #tail: CheckedTail | null = null;
  #started: Promise<void> | null = null;
  #closed = false;

  constructor(log: CompleteLog, ring: FrameRing, deadline: LogDeadline, health: LogHealth, onError: OnError) {
    this.#health = health;
    this.log = log;
    this.ring = ring;
    this.#deadline = deadline;
    this.#onError = onError;
  }

  /** Resolves when the head of the log is known and the tail follows it. After a failure, the next call tries again. */
  start(): Promise<void> {
    // A promise keeps the context in which it was made, on Node 22: all that is kept here has to be made outside of a request's.
    this.#started ??= runDetached(() =>
      this.#open().catch((error) => {
        this.#started = null;
        throw error;
      }),
    );
    return this.#started;
  }

  /** True once the tail follows the log. */
  get isStarted(): boolean {
    return this.#tail !== null;
  }

  close(): void {
    this.#closed = true;
    this.#tail?.close();
  }

  /** How often the sequence has started over: an answer of the log from before is out of date. */
  get restarts(): number {
    return this.#restarts;
  }

  /** True for an epoch that the log has left. An unknown one may be the next. */
  isPastEpoch(epoch: string): boolean {
    return this.#pastEpochs.has(epoch);
  }

  /** The first missing stretch that ends after an offset. */
  holeAfter(offset: number): Hole | undefined {
    return this.#holes.find(({ to }) => to > offset);
  }

  /**
   * Begins to check the newest entry that has arrived here against the log. The caller asks the primary for `anchor`, and
   * passes on the answer. If the log has another entry in its place, the sequence starts over at once: the tail may notice
   * only after a while.
   */
  check(): FeedCheck {
    const restarts = this.#restarts;
    return {
      anchor: this.ring.head,
      confirm: (head, verification) => {
        // Not for `unknown`: an entry that was trimmed, with its witness, does not prove a loss.
        const isCurrent = restarts === this.#restarts && this.#tail !== null && !this.#closed;
        if (verification === "other" && isCurrent) this.#restartAt(head);
      },
    };
  }

  async #open(): Promise<void> {
    // Every start has its deadline: a question that the log never answers must not be the last one.
    this.ring.reset(headPosition(await this.#deadline.limit(this.log.head(), "log.head()")));
    if (!this.#closed) this.#follow();
  }

  #follow(): void {
    this.#tail?.close();
    this.#tail = null;
    this.#tail = new CheckedTail(
      this.log,
      this.#deadline,
      this.ring.head,
      (epoch, entry, hole) => this.#receive(epoch, entry, hole),
      (error) => {
        // The tail tries again and again: an outage is reported once, and not with each attempt.
        if (this.#health.onFailure(error)) this.#onError(error, { stage: "tail" });
      },
    );
  }

  /**
   * Continues after the head that the log has now. The old tail is closed first, since it would deliver entries into the new
   * sequence that the new tail delivers, too. Entries between the loss and the head are not lost for any client: each has to
   * resume from its own cursor, through the log.
   */
  #restartAt(head: Head): void {
    this.#tail?.close();
    this.#tail = null;
    this.#startOver(head.epoch === this.ring.epoch ? "rewind" : "epoch", headPosition(head));
    this.#followAgain();
  }

  /**
   * Tries until the log provides a tail. It continues after the ring's head, wherever the log's head is by then.
   * Starting over at the log's head would skip the entries in between, for subscriptions that are live by now.
   */
  #followAgain(): void {
    if (this.#closed || this.#tail !== null) return;
    try {
      this.#follow();
    } catch (error) {
      this.#onError(error, { stage: "tail" });
      unrefTimeout(() => this.#followAgain(), tailRetryMs);
    }
  }

  /**
   * Judges how an entry follows the ring's head. Whatever the case, the ring's head is at `before` when the entry is pushed,
   * so the ring stays contiguous. An entry that the ring has already, as after a reconnect of the tail, is dropped; one that
   * the ring cannot compare any more counts as another one, since a reset is better than a silent loss.
   */
  #receive(epoch: string, entry: LogEntry, hole: Hole | null): void {
    const { ring } = this;
    const before = { epoch, offset: entry.offset - 1, witness: entry.previousWitness };
    if (epoch !== ring.epoch) this.#startOver("epoch", before);
    else if (hole !== null) this.#skip(hole, before);
    else if (entry.offset > ring.top) {
      if (before.witness !== ring.witness) this.#startOver("rewind", before);
    } else {
      if (ring.witnessAt(entry.offset) === entry.witness) return;
      this.#startOver("rewind", before);
    }
    // A channel was cleared: nothing of it may be sent from memory any more.
    if (entry.type === clearType) ring.erase(entry.channel);
    // In the ring before any observer: a subscription that lags, or joins, during the calls finds the entry there.
    const item = ring.push(entry);
    for (const observer of this.observers) observer.onEntry(item);
  }

  #skip(hole: Hole, before: Position): void {
    // Trimmed entries need not be remembered: the log itself accounts for them, by the `trimmed` of a page.
    if (hole.isMissing) this.#holes.push(hole);
    const [first, second] = this.#holes;
    if (this.#holes.length > maxHoles && first !== undefined && second !== undefined) {
      // The union covers entries that are not missing. They are declared, too, so that memory stays bounded.
      this.#holes.splice(0, 2, { ...second, from: first.from });
    }
    this.#breakSequence("gap", before);
  }

  #startOver(how: "rewind" | "epoch", before: Position): void {
    this.#restarts++;
    this.#holes = [];
    if (how === "epoch") this.#pastEpochs.add(this.ring.epoch);
    this.#breakSequence(how, before);
  }

  /**
   * The next entry comes after `before`, not after the ring's newest one. The ring is reset before the observers are called:
   * they compare positions with its new epoch and head.
   */
  #breakSequence(how: Discontinuity, before: Position): void {
    const last = this.ring.head;
    this.ring.reset(before);
    for (const observer of this.observers) observer.onDiscontinuity(how, last);
  }
}

/**
 * Why the next entry does not follow the previous one: entries in between were trimmed or are missing (`"gap"`), the log has
 * lost its newest entries (`"rewind"`), or it was replaced (`"epoch"`).
 */
export type Discontinuity = "gap" | "rewind" | "epoch";

/** Called with the entries that arrive from the log. */
export interface FeedObserver {
  /** An entry has arrived at the head. */
  onEntry(item: RingEntry): void;
  /** @param last The position of the newest entry before the break. */
  onDiscontinuity(how: Discontinuity, last: Position): void;
}

/** A check of the newest entry that has arrived. */
export interface FeedCheck {
  readonly anchor: Position;
  confirm(head: Head, verification: LocateAnswer["verification"]): void;
}
