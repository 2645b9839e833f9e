// One page of the log, with the frames of its entries, as all readers share it.
import type { Floor, LogEntry, Page, ValuePage } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import type { Frame } from "../../wire/frame.ts";
import { frameOfEntry, type SharedEntry, stateFrameOfEntry } from "./frame-ring.ts";
import { RunBuilder, type SharedRun } from "./shared-run.ts";

/** Memory of an entry in addition to its data, in bytes, approximately. */
const entryOverheadBytes = 200;

/** A page. Immutable, except that frames are made when the first reader sends them. */
export class SharedPage {
  readonly epoch: string;
  /** It has every selected entry after this offset, up to `through`. */
  readonly after: number;
  readonly through: number;
  readonly items: readonly PageItem[];
  readonly trimmed: number;
  readonly conflated: number;
  readonly floor: Floor | null;
  /** False where the log could not confirm that the page continues what the reader has. */
  readonly isVerified: boolean;
  /** Memory that it takes, approximately: the data is there as text and as bytes. */
  readonly bytes: number;
  /** The breaks of the cache when its reading began. */
  readonly breaks: number;
  /** Readers that are about to use it. */
  users = 0;
  /** By the index of the first entry. Of the last entries there may be none. */
  readonly #runs: [plain: Map<number, SharedRun | null>, labeled: Map<number, SharedRun | null>] = [
    new Map(),
    new Map(),
  ];

  constructor(after: number, page: Page | ValuePage, isVerified: boolean, breaks: number) {
    const isState = !("floor" in page);
    this.epoch = page.epoch;
    this.after = after;
    this.through = page.through;
    this.items = page.entries.map((entry) => new PageItem(entry, page.epoch, isState));
    this.trimmed = isState ? 0 : page.trimmed;
    this.conflated = isState ? 0 : page.conflated;
    this.floor = isState ? null : page.floor;
    this.isVerified = isVerified;
    this.breaks = breaks;
    this.bytes = page.entries.reduce((sum, entry) => sum + 2 * weightOf(entry) + entryOverheadBytes, 0);
  }

  covers(offset: number): boolean {
    return offset >= this.after && offset < this.through;
  }

  /** The run that begins with an entry; `null` if that entry cannot be part of one. */
  runFrom(index: number, isLabeled: boolean): SharedRun | null {
    const runs = this.#runs[isLabeled ? 1 : 0];
    const known = runs.get(index);
    if (known !== undefined) return known;
    const builder = new RunBuilder(isLabeled);
    for (let next = index; next < this.items.length && builder.hasRoom; next++) {
      if (!builder.add(this.items[next] as PageItem)) break;
    }
    const run = builder.finish();
    runs.set(index, run);
    return run;
  }

  /** The index of the first entry after an offset, by binary search: readers enter a shared page anywhere. */
  indexAfter(offset: number): number {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.items[middle] as PageItem).entry.offset > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** An entry of a page. */
export class PageItem implements SharedEntry {
  readonly entry: LogEntry;
  readonly #epoch: string;
  readonly #isState: boolean;
  #frame: Frame | null = null;
  #labeled: Frame | null = null;

  constructor(entry: LogEntry, epoch: string, isState: boolean) {
    this.entry = entry;
    this.#epoch = epoch;
    this.#isState = isState;
  }

  /** Encoded on demand: entries that are filtered out are never encoded. */
  get frame(): Frame {
    this.#frame ??= this.#encode(false);
    return this.#frame;
  }

  get labeled(): Frame {
    this.#labeled ??= this.#encode(true);
    return this.#labeled;
  }

  #encode(isLabeled: boolean): Frame {
    return this.#isState ? stateFrameOfEntry(this.entry, isLabeled) : frameOfEntry(this.#epoch, this.entry, isLabeled);
  }
}
