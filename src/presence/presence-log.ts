import { now, unrefTimeout } from "../base/clock.ts";
import { SourcecastError } from "../base/errors.ts";
import type { PresenceContext, TailObserver } from "../hub/presence.ts";
import type { LogEntry, NewEntry, Position } from "../log/log.ts";
import { type PresenceRecord, PresenceState, presenceChannel } from "./state.ts";
import type { PresenceUpdate } from "./update.ts";

/** How long to wait at most for what others have written to come in. */
const maxNewsWaitMs = 1_000;
/** How much of the log is read at a time. */
const pageBytes = 1024 ** 2;

/** The roster in the log: read once, kept up to date from then on, and changed in one way. */
export class PresenceLog implements TailObserver {
  readonly #context: PresenceContext;
  readonly #process: string;
  readonly #lease: number;
  readonly #onChange: (replaced: PresenceRecord) => void;
  /** `null` until it has been asked for, and when the log has gone on without this process. */
  #roster: PresenceState | null = null;
  /** Takes in what comes while the log is read. */
  #incoming: PresenceState | null = null;
  #reading: Promise<void> | null = null;
  /** Position of the last cell that was written here, which may not have come in yet. */
  #written: Position | null = null;
  #onNews: () => void = () => {};

  /** @param onChange Told of the cell, or the free place, that another process has written over. */
  constructor(context: PresenceContext, process: string, lease: number, onChange: (replaced: PresenceRecord) => void) {
    this.#context = context;
    this.#process = process;
    this.#lease = lease;
    this.#onChange = onChange;
  }

  get roster(): PresenceState | null {
    return this.#roster;
  }

  /** Every cell up to this position is in the roster. */
  get through(): Position {
    const { head } = this.#context;
    return this.#written !== null && this.#written.offset > head.offset ? this.#written : head;
  }

  async load(): Promise<PresenceState> {
    while (this.#roster === null) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = null;
      });
      await this.#reading;
    }
    return this.#roster;
  }

  /** Writes a change and the events that follow from it, all or nothing. False where another process was faster. */
  async write(change: PresenceUpdate, events: readonly NewEntry[]): Promise<boolean> {
    const cells = change.entries(this.#process);
    try {
      const appended = await this.#context.log.append([...cells, ...events]);
      if (change.roster !== this.#roster) return true;
      for (const [index, { key, data }] of cells.entries()) {
        const written = appended[index] as Position;
        this.#roster.apply({ key, data, offset: written.offset }, now());
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
    this.release();
    if (entry.sender !== this.#process) this.#onChange(replaced);
  }

  onDiscontinuity(): void {
    this.#roster = null;
    this.#incoming = null;
    this.#written = null;
    this.release();
    this.#onChange(null);
  }

  /** Resolves when the cells that others have written after a position have come in, or could have. */
  news(after: Position): Promise<void> {
    if (this.through.offset > after.offset) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = unrefTimeout(resolve, maxNewsWaitMs);
      this.#onNews = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Lets those go who wait for {@link news}. */
  release(): void {
    this.#onNews();
  }

  async #read(): Promise<void> {
    await this.#context.start();
    this.#context.observe(this);
    const roster = new PresenceState(this.#lease);
    this.#incoming = roster;
    const { log } = this.#context;
    const selection = { channels: [presenceChannel], prefixes: [] };
    const { top } = await log.head();
    for (let position = 0; position < top; ) {
      const page = await log.latestByKey(selection, { after: position, upTo: top, maxBytes: pageBytes });
      for (const cell of page.entries) roster.apply(cell, now());
      position = page.through;
    }
    if (this.#incoming === roster) this.#roster = roster;
  }
}
