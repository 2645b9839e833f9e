import { unrefTimeout } from "../clock.ts";
import { controlFrame } from "../control.ts";
import { encodeEvent } from "../encode.ts";
import { Frame } from "../frame.ts";
import { friend } from "../friend.ts";
import type { Head, Log, LogEntry, Selection, Tail, TailBatch } from "../logs/log.ts";
import { type Cursor, cursorAtTop } from "./cursor.ts";
import type { OnError } from "./options.ts";
import type { Ring } from "./ring.ts";
import type { Subscription } from "./subscription.ts";
import { Topics } from "./topics.ts";

/** A newcomer that has heard nothing for so long is told where it is. */
const greeting = 250;

/** The hub's own reader, beside the subscriptions. */
export interface Observer {
  receive(entry: LogEntry): void;
  /** What comes next does not follow on what came before. */
  restart(): void;
}

/**
 * What comes out of the log in this process: one tail, whatever the number of connections. Each entry goes into the ring
 * and to the live subscriptions of its channel.
 */
export class Feed {
  readonly log: Log;
  readonly ring: Ring;
  readonly topics: Topics<Subscription> = new Topics();
  readonly subscriptions: Set<Subscription> = new Set();
  /** Those of the subscriptions that are behind the head. */
  readonly lagging: Set<Subscription> = new Set();
  /** Those that came with a position to which the tail has not come yet, and which entry it is to find there. */
  readonly ahead: Map<Subscription, Cursor> = new Map();
  /** Epochs that the log had before, as far as this process has seen them. */
  readonly #past = new Set<string>();
  /** How often the log was found not to continue what it was. */
  #breaks = 0;
  observer: Observer | null = null;
  readonly #onError: OnError;
  #tail: Tail | null = null;
  #started: Promise<void> | null = null;
  #closed = false;
  #newcomers: Subscription[] = [];
  #greeting: ReturnType<typeof setTimeout> | undefined;
  #checkpointAt = -1;
  #checkpoint: Frame | null = null;

  constructor(log: Log, ring: Ring, onError: OnError) {
    this.log = log;
    this.ring = ring;
    this.#onError = onError;
  }

  /** Resolves when the head of the log is known and the tail follows it. A failure is tried again with the next call. */
  start(): Promise<void> {
    this.#started ??= this.#open().catch((error) => {
      this.#started = null;
      throw error;
    });
    return this.#started;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#greeting);
    this.#tail?.close();
  }

  /** True for an epoch that the log has left behind; one that is not known may be the next. */
  isPast(epoch: string): boolean {
    return this.#past.has(epoch);
  }

  /** Where the log stands, and nothing is taken for present any more that the log does not have. */
  async head(selection?: Selection): Promise<Head> {
    const { epoch, top } = this.ring;
    const breaks = this.#breaks;
    const head = await this.log.head(selection);
    const isOlder = head.epoch === epoch && head.top < top;
    if (isOlder && breaks === this.#breaks) this.#cutOff(head.top, head.witness);
    return head;
  }

  /** The cursor of the newest entry that this process has seen. */
  get cursor(): string {
    return cursorAtTop(this.ring);
  }

  /** Sees to it that a position is one of this log, at once or when the tail comes to it: it may be lost since it was told. */
  expect(subscription: Subscription, position: Cursor): void {
    const { ring } = this;
    this.ahead.delete(subscription);
    if (position.witness === 0 || subscription.closed) return;
    if (position.epoch !== ring.epoch || position.offset > ring.top) this.ahead.set(subscription, position);
    else if ((ring.at(position.offset)?.entry.witness ?? position.witness) !== position.witness) {
      subscription.source.close("reset");
    }
  }

  /** Sees to it that a newcomer is told its position even if nothing comes for it. */
  greet(newcomer: Subscription): void {
    if (this.#newcomers.push(newcomer) === 1) this.#greeting = unrefTimeout(() => this.#tellNewcomers(), greeting);
  }

  /** The checkpoint at the head, the same for all who are there. */
  checkpoint(): Frame {
    if (this.#checkpoint === null || this.#checkpointAt !== this.ring.top) {
      this.#checkpoint = checkpointFrame(this.cursor);
      this.#checkpointAt = this.ring.top;
    }
    return this.#checkpoint;
  }

  async #open(): Promise<void> {
    this.#tail?.close();
    const head = await this.log.head();
    this.ring.reset(head.epoch, head.top, head.witness);
    if (this.#closed) return;
    this.#tail = this.log.tail(
      head.top,
      (batch) => this.#receive(batch),
      (error) => this.#onError(error, { stage: "tail" }),
    );
    // A log that was replaced or cut off in between is followed from a place that it never had.
    if (!(await this.#isStill(head)) && !this.#closed) await this.#open();
  }

  /** True while the log continues what it was. */
  async #isStill({ epoch, top, witness }: Head): Promise<boolean> {
    const head = await this.log.head();
    if (head.epoch !== epoch || head.top < top) return false;
    const present = head.top === top ? head.witness : await this.log.witness(top);
    return present === undefined || present === witness;
  }

  #tellNewcomers(): void {
    const newcomers = this.#newcomers;
    this.#newcomers = [];
    for (const newcomer of newcomers) {
      const frame = newcomer.closed || newcomer.told !== -1 ? null : newcomer.heartbeat();
      if (frame !== null) friend.write(newcomer.source, frame);
    }
  }

  #receive({ epoch, entries }: TailBatch): void {
    const { ring } = this;
    for (const entry of entries) {
      if (epoch !== ring.epoch) this.#newEpoch(epoch, entry.offset - 1);
      if (entry.offset <= ring.top) {
        if (ring.at(entry.offset)?.entry.witness === entry.witness) continue;
        this.#cutOff(entry.offset - 1, 0);
      }
      if (entry.offset > ring.top + 1) this.#hole(entry.offset - 1);
      const item = ring.push(entry);
      if (this.ahead.size > 0) this.#meet(entry);
      this.topics.visit(entry.channel, (subscription) => subscription.deliver(item));
      this.observer?.receive(entry);
    }
  }

  #meet({ offset, witness }: LogEntry): void {
    for (const [subscription, expected] of this.ahead) {
      if (expected.epoch !== this.ring.epoch || offset < expected.offset) continue;
      this.ahead.delete(subscription);
      if (offset === expected.offset && witness !== expected.witness) subscription.source.close("reset");
    }
  }

  /** Entries were trimmed before they could be followed: those who were at the head find out from the log what is left. */
  #hole(before: number): void {
    const { epoch, top } = this.ring;
    this.ring.reset(epoch, before, 0);
    for (const subscription of this.subscriptions) subscription.fallBehind(top);
    this.observer?.restart();
  }

  /**
   * The log has lost its newest entries, as one does whose machine was replaced by a copy that lagged. Who is connected may
   * have what was lost: their clients come back, and their cursors tell.
   */
  #cutOff(top: number, witness: number): void {
    this.#breaks++;
    this.ring.reset(this.ring.epoch, top, witness);
    this.#checkpoint = null;
    for (const { source } of this.subscriptions) source.close("reset");
    this.observer?.restart();
  }

  #newEpoch(epoch: string, before: number): void {
    this.#breaks++;
    this.#past.add(this.ring.epoch);
    this.ring.reset(epoch, before, 0);
    this.#checkpoint = null;
    for (const subscription of this.subscriptions) subscription.restart();
    this.observer?.restart();
  }
}

/** Gives the client a position without anything having happened for it. */
export function checkpointFrame(cursor: string): Frame {
  return controlFrame("sse:checkpoint", {}, cursor);
}

/** A position that goes unheard: enough for clients that follow the standard to the letter, and some do not. */
export function silentPositionFrame(cursor: string): Frame {
  return Frame.of(encodeEvent({ id: cursor }));
}
