// A reference for authors of logs: a complete log of the five required methods, made of the kit and a store.
import { anObjectWith, type OptionCheck } from "../base/options.ts";
import { AppendQueue } from "../log/append-queue.ts";
import { closedError } from "../log/errors.ts";
import type {
  Appended,
  Head,
  Log,
  LogCapability,
  NewEntry,
  Page,
  Position,
  ReadOptions,
  Tail,
  TailBatch,
} from "../log/log.ts";
import { TailFanout, type TailFanoutOptions } from "../log/tail-fanout.ts";
import { PlainStore } from "./plain-store.ts";

const aStore: OptionCheck = anObjectWith("a PlainStore", "append", "subscribe");

/**
 * The simplest log that passes the suite, for authors of logs to read and copy, and for use in tests: everything stays
 * in memory, and its {@link PlainStore} can lose entries and be restored from a copy.
 *
 * It has no optional methods: the hub composes them from the required ones, as `completeLog` does.
 *
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { PlainLog, PlainStore } from "sourcecast/testing";
 *
 * const store = new PlainStore({ maxEvents: 100 });
 * await using hub = createHub({ log: new PlainLog(store) });
 * await hub.channel("news").dispatch("headline", "Rain tomorrow");
 * console.log(store.head().top); // 1
 * ```
 */
export class PlainLog implements Log {
  /** It stores a call all or none, and leaves out superseded entries on request. */
  readonly capabilities: ReadonlySet<LogCapability> = new Set(["atomicBatch", "conflation"]);
  readonly #store: PlainStore;
  /** Gathers the appends of a tick, as one round trip to a database would. */
  readonly #queue: AppendQueue;
  readonly #tails: TailFanout;
  readonly #unsubscribe: () => void;
  #closed = false;

  /**
   * @param store Where the entries are; several logs may share one.
   * @param options How often tails look for a loss, of which the store does not notify them.
   */
  constructor(store: PlainStore = new PlainStore(), options: TailFanoutOptions = {}) {
    aStore(store, "store");
    this.#store = store;
    this.#queue = new AppendQueue({ store: (calls) => store.append(calls) });
    this.#tails = new TailFanout({ read: (after) => store.tailPage(after) }, options);
    this.#unsubscribe = store.subscribe((epoch, entries) => this.#tails.offer(epoch, entries));
  }

  /** See {@link Log}. */
  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    return this.#queue.append(entries);
  }

  /** See {@link Log}. */
  async head(): Promise<Head> {
    this.#assertOpen();
    return this.#store.head();
  }

  /** See {@link Log}. */
  async read(after: number, options: ReadOptions): Promise<Page> {
    this.#assertOpen();
    return this.#store.read(after, options);
  }

  /** See {@link Log}. */
  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    return this.#tails.add(after, onEntries, onError);
  }

  /** See {@link Log}. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Appends that were called before are settled first, while the tails can still deliver them.
    await this.#queue.close();
    this.#tails.close();
    this.#unsubscribe();
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}
