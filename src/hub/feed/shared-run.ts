// Entries that follow each other, as one frame that all clients share which come from the same position.
import { clearType } from "../../log/cleared.ts";
import type { LogEntry } from "../../log/log.ts";
import type { Frame } from "../../wire/frame.ts";
import { isInternal } from "../selection.ts";
import type { SharedEntry } from "./frame-ring.ts";

/** Bytes after which a run ends: a client is sent that much at most between two looks at its room. */
const maxRunBytes = 32 * 1024;

/** Entries after which a run ends, those that are left out included: a run is made in one step. */
const maxRunEntries = 256;

/**
 * A stretch of the sequence for one selection. After a restart, thousands of clients come from a few positions: each of
 * them gets the same bytes in one write, instead of a hundred frames.
 *
 * A run has only entries that are sent as they are, because an end or a cleared channel changes the state of a
 * subscription.
 */
export interface SharedRun {
  /** The entries that are sent; `null` if there are none. */
  readonly frame: Frame | null;
  /** How many of them there are. */
  readonly sent: number;
  /** Offset of the last of them; -1 if there are none. */
  readonly lastSent: number;
  /** How many superseded entries are left out. */
  readonly conflated: number;
  /** The last entry of the stretch, sent or left out. */
  readonly last: LogEntry;
}

/** Makes a run of the entries that it is given one after the other. */
export class RunBuilder {
  readonly #isLabeled: boolean;
  #entries = 0;
  #frame: Frame | null = null;
  #sent = 0;
  #lastSent = -1;
  #conflated = 0;
  #last: LogEntry | null = null;

  /** @param isLabeled Whether the frames have the names of their channels in them. */
  constructor(isLabeled: boolean) {
    this.#isLabeled = isLabeled;
  }

  /** False when the run is long enough. */
  get hasRoom(): boolean {
    return this.#entries < maxRunEntries && (this.#frame?.byteLength ?? 0) < maxRunBytes;
  }

  /** Adds an entry of the selection. False for one that cannot be part of a run: it comes after it. */
  add(item: SharedEntry): boolean {
    const { entry } = item;
    if (entry.type === clearType || entry.type === "sse:end") return false;
    this.leaveOut(entry);
    // Under a prefix there may be channels of the hub's own, which no client receives.
    if (isInternal(entry.channel)) return true;
    const frame = this.#isLabeled ? item.labeled : item.frame;
    // Frames that are joined in the same order are the same frame, within a tick.
    this.#frame = this.#frame === null ? frame : this.#frame.join(frame);
    this.#sent++;
    this.#lastSent = entry.offset;
    return true;
  }

  /** Adds an entry that the client does not receive. */
  leaveOut(entry: LogEntry, isSuperseded = false): void {
    if (isSuperseded) this.#conflated++;
    this.#entries++;
    this.#last = entry;
  }

  /** The run; `null` if there is none. */
  finish(): SharedRun | null {
    if (this.#last === null) return null;
    return {
      frame: this.#frame,
      sent: this.#sent,
      lastSent: this.#lastSent,
      conflated: this.#conflated,
      last: this.#last,
    };
  }
}
