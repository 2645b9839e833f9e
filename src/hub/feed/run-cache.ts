// The runs of the ring: what clients that come from the same position are sent.
import type { ChannelMatcher } from "../../log/selection.ts";
import type { FeedObserver } from "./feed.ts";
import type { FrameRing, RingEntry } from "./frame-ring.ts";
import { RunBuilder, type SharedRun } from "./shared-run.ts";

/** Runs that are kept: with the most bytes that a run has, 2 MB. */
const maxRuns = 64;

/** Makes each run once, and keeps it until the next entry arrives, which may supersede entries or end the last run. */
export class RunCache implements FeedObserver {
  readonly #ring: FrameRing;
  readonly #runs = new Map<string, SharedRun | null>();

  constructor(ring: FrameRing) {
    this.#ring = ring;
  }

  /** The run after an offset of the ring; `null` if the next entry cannot be part of one. */
  after(offset: number, query: RunQuery): SharedRun | null {
    const key = `${offset} ${query.key}`;
    const known = this.#runs.get(key);
    if (known !== undefined) return known;
    const run = this.#make(offset, query);
    if (this.#runs.size === maxRuns) this.clear();
    this.#runs.set(key, run);
    return run;
  }

  /** Called from time to time, so that the last replay leaves no memory in use. */
  clear(): void {
    this.#runs.clear();
  }

  // --- FeedObserver ---

  onEntry(): void {
    this.clear();
  }

  onDiscontinuity(): void {
    this.clear();
  }

  #make(after: number, { selects, isLabeled }: RunQuery): SharedRun | null {
    const ring = this.#ring;
    const builder = new RunBuilder(isLabeled);
    for (let offset = after + 1; offset <= ring.top && builder.hasRoom; offset++) {
      const item = ring.at(offset) as RingEntry;
      const { entry, superseded } = item;
      const isSelected = selects(entry.channel);
      const isSuperseded = isSelected && superseded;
      if (!isSelected || isSuperseded) builder.leaveOut(entry, isSuperseded);
      else if (!builder.add(item)) break;
    }
    return builder.finish();
  }
}

/** The clients that share runs: those that receive every event of their channels, unless a later one supersedes it. */
export interface RunQuery {
  readonly selects: ChannelMatcher;
  readonly isLabeled: boolean;
  /** The same for clients that can share runs. */
  readonly key: string;
}
