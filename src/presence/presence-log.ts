// The records in the log: read once, kept current by the tail, and changed by conditional appends.
import { now, unrefTimeout } from "../base/clock.ts";
import { SourcecastError } from "../base/errors.ts";
import type { PresenceContext, TailObserver } from "../hub/presence.ts";
import type { LogEntry, NewEntry, Position } from "../log/log.ts";
import { internalPage } from "../log/page-size.ts";
import { type PresenceRecord, PresenceState, presenceChannel } from "./state.ts";
import type { PresenceUpdate } from "./update.ts";

/** How long to wait for the records of other processes after a conflict. */
const maxTailWaitMs = 1_000;

/** Reads and writes the records of a log. Every question to the log has a deadline: see {@link PresenceContext.limit}. */
export class PresenceLog implements TailObserver {
  readonly #context: PresenceContext;
  readonly #process: string;
  readonly #lease: number;
  readonly #onChange: (replaced: PresenceRecord) => void;
  /** `null` before the first {@link load}, and after the tail has missed entries. */
  #state: PresenceState | null = null;
  /** The state that the tail updates while the log is read. */
  #incoming: PresenceState | null = null;
  #loading: Promise<void> | null = null;
  /** Position of the last record written here. The tail may not have delivered it yet. */
  #written: Position | null = null;
  #endWait: () => void = () => {};

  /** @param onChange Called after another process has written, with the record that it replaced. */
  constructor(context: PresenceContext, process: string, lease: number, onChange: (replaced: PresenceRecord) => void) {
    this.#context = context;
    this.#process = process;
    this.#lease = lease;
    this.#onChange = onChange;
  }

  get state(): PresenceState | null {
    return this.#state;
  }

  /**
   * The state includes every record up to this position. The records of this process count before the tail delivers
   * them: otherwise the log would reject the next update because of them. No other records lie between the head and
   * these, because the log would have rejected the update.
   */
  get through(): Position {
    const { head } = this.#context;
    return this.#written !== null && this.#written.offset > head.offset ? this.#written : head;
  }

  /** The state, read from the log if necessary: again, if the tail misses entries while it is read. */
  async load(): Promise<PresenceState> {
    while (this.#state === null) {
      this.#loading ??= this.#read().finally(() => {
        this.#loading = null;
      });
      await this.#loading;
    }
    return this.#state;
  }

  /**
   * Appends an update and the events that follow from it, all of them or none.
   *
   * @returns False if another process has written a record that the update does not know of.
   */
  async write(update: PresenceUpdate, events: readonly NewEntry[]): Promise<boolean> {
    const { log, limit } = this.#context;
    const records = update.entries(this.#process);
    try {
      const appended = await limit(log.append([...records, ...events]), "log.append()");
      // The tail has missed entries since. The state that is read next has these records.
      if (update.state !== this.#state) return true;
      for (const [index, { key, data }] of records.entries()) {
        const written = appended[index] as Position;
        this.#state.apply({ key, data, offset: written.offset }, now());
        this.#written = written;
      }
      return true;
    } catch (error) {
      if (!(error instanceof SourcecastError && error.code === "ERR_SSE_CONFLICT")) throw error;
      return false;
    }
  }

  onEntry({ entry }: { readonly entry: LogEntry }): void {
    if (entry.channel !== presenceChannel || this.#incoming === null) return;
    const replaced = this.#incoming.apply(entry, now());
    this.stopWaiting();
    if (entry.sender !== this.#process) this.#onChange(replaced);
  }

  /**
   * Records may be missing from the state, or belong to entries that the log has lost. So the state is read from the
   * log again.
   */
  onDiscontinuity(): void {
    this.#state = null;
    this.#incoming = null;
    this.#written = null;
    this.stopWaiting();
    this.#onChange(null);
  }

  /**
   * Resolves when the tail has delivered a record after a position, or has had the time for it. At most one caller waits, since
   * a process writes one update at a time.
   */
  waitForRecordAfter(position: Position): Promise<void> {
    if (this.through.offset > position.offset) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = unrefTimeout(resolve, maxTailWaitMs);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Resolves what {@link waitForRecordAfter} returned. */
  stopWaiting(): void {
    this.#endWait();
  }

  async #read(): Promise<void> {
    const { log, limit } = this.#context;
    await limit(this.#context.start(), "log.head()");
    // From here on the tail updates the state that is being read: records are applied in any order.
    this.#context.observe(this);
    const state = new PresenceState(this.#lease);
    this.#incoming = state;
    const selection = { channels: [presenceChannel], prefixes: [] };
    const { top } = await limit(log.head(), "log.head()");
    for (let position = 0; position < top; ) {
      const options = { after: position, upTo: top, maxBytes: internalPage.maxBytes };
      const page = await limit(log.latestByKey(selection, options), "log.latestByKey()");
      for (const entry of page.entries) state.apply(entry, now());
      position = page.through;
    }
    // Unless the tail has missed entries since then.
    if (this.#incoming === state) this.#state = state;
  }
}
