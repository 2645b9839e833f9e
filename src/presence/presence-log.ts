import { now, unrefTimeout } from "../base/clock.ts";
import { SourcecastError } from "../base/errors.ts";
import type { PresenceContext, TailObserver } from "../hub/presence.ts";
import type { LogEntry, NewEntry } from "../log/log.ts";
import { type PresenceRecord, PresenceState, presenceChannel } from "./state.ts";
import type { PresenceUpdate } from "./update.ts";

/** How long to wait at most for what others have written to come in. */
const maxNewsWaitMs = 1_000;

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
  /** Offset of the last cell that was written here, which may not have come in yet. */
  #written = 0;
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

  /** Every cell up to this offset is in the roster. */
  get through(): number {
    return Math.max(this.#context.top, this.#written);
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
        const { offset } = appended[index] as { offset: number };
        this.#roster.apply({ key, data, offset }, now());
        this.#written = offset;
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
    this.#written = 0;
    this.release();
    this.#onChange(null);
  }

  /** Resolves when what others have written behind an offset has come in, or could have. */
  news(after: number): Promise<void> {
    if (this.through > after) return Promise.resolve();
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
    const cells = await this.#context.log.latestByKey({ channels: [presenceChannel], prefixes: [] });
    for (const cell of cells) roster.apply(cell, now());
    if (this.#incoming === roster) this.#roster = roster;
  }
}
