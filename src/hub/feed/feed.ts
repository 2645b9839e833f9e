import { runDetached } from "../../base/async-context.ts";
import type { CompleteLog } from "../../log/complete.ts";
import type { Head, Tail, TailBatch } from "../../log/log.ts";
import type { OnError } from "../options.ts";
import type { FrameRing, RingEntry } from "./frame-ring.ts";

/**
 * How what comes next does not follow on what came before: entries in between were trimmed (`"hole"`), the log has lost its
 * newest ones (`"cut"`), or it is another log than before (`"epoch"`).
 */
export type Discontinuity = "hole" | "cut" | "epoch";

/** Who hears of what comes out of the log. */
export interface FeedObserver {
  /** An entry has come in at the head. */
  onEntry(item: RingEntry): void;
  /** @param top Where the head was until now. */
  onDiscontinuity(how: Discontinuity, top: number): void;
}

/**
 * What comes out of the log in this process: one tail, whatever the number of connections. Each entry goes into the ring,
 * and to the observers.
 */
export class Feed {
  readonly log: CompleteLog;
  readonly ring: FrameRing;
  /** Told one after the other, in the order in which they came. */
  readonly observers: Set<FeedObserver> = new Set();
  /** Epochs that the log had before, as far as this process has seen them. */
  readonly #pastEpochs = new Set<string>();
  /** How often the log was found not to continue what it was. */
  #discontinuities = 0;
  readonly #onError: OnError;
  #tail: Tail | null = null;
  #started: Promise<void> | null = null;
  #closed = false;

  constructor(log: CompleteLog, ring: FrameRing, onError: OnError) {
    this.log = log;
    this.ring = ring;
    this.#onError = onError;
  }

  /** Resolves when the head of the log is known and the tail follows it. A failure is tried again with the next call. */
  start(): Promise<void> {
    this.#started ??= runDetached(() => this.#open()).catch((error) => {
      this.#started = null;
      throw error;
    });
    return this.#started;
  }

  close(): void {
    this.#closed = true;
    this.#tail?.close();
  }

  /** True for an epoch that the log has left behind; one that is not known may be the next. */
  isPastEpoch(epoch: string): boolean {
    return this.#pastEpochs.has(epoch);
  }

  /** Where the log stands, and nothing is taken for present any more that the log does not have. */
  async head(): Promise<Head> {
    const { epoch, top } = this.ring;
    const breaks = this.#discontinuities;
    const head = await this.log.head();
    const isOlder = head.epoch === epoch && head.top < top;
    if (isOlder && breaks === this.#discontinuities) this.#breakSequence("cut", epoch, head.top, head.witness);
    return head;
  }

  async #open(): Promise<void> {
    this.#tail?.close();
    const { epoch, top, witness } = await this.log.head();
    this.ring.reset(epoch, top, witness);
    if (this.#closed) return;
    this.#tail = this.log.tail(
      { epoch, offset: top, witness },
      (batch) => this.#receive(batch),
      (error) => this.#onError(error, { stage: "tail" }),
    );
    // A log that was replaced or cut off in between is followed from a place that it never had.
    const head = await this.log.head();
    if ((head.epoch !== epoch || head.top < top) && !this.#closed) await this.#open();
  }

  #receive({ epoch, entries }: TailBatch): void {
    const { ring } = this;
    for (const entry of entries) {
      const before = entry.offset - 1;
      const { previousWitness } = entry;
      if (epoch !== ring.epoch) this.#breakSequence("epoch", epoch, before, previousWitness);
      if (entry.offset <= ring.top) {
        if (ring.witnessAt(entry.offset) === entry.witness) continue;
        this.#breakSequence("cut", epoch, before, previousWitness);
      }
      if (before > ring.top) this.#breakSequence("hole", epoch, before, previousWitness);
      else if (previousWitness !== ring.witness) this.#breakSequence("cut", epoch, before, previousWitness);
      const item = ring.push(entry);
      for (const observer of this.observers) observer.onEntry(item);
    }
  }

  /** What comes next follows on an entry that did not come this way. */
  #breakSequence(how: Discontinuity, epoch: string, before: number, witness: number): void {
    const { ring } = this;
    const { top } = ring;
    if (how !== "hole") this.#discontinuities++;
    if (how === "epoch") this.#pastEpochs.add(ring.epoch);
    ring.reset(epoch, before, witness);
    for (const observer of this.observers) observer.onDiscontinuity(how, top);
  }
}
