// The parts of the hub that a reader uses, and where it begins.
import type { Position } from "../../log/log.ts";
import type { Locator } from "../admission/locator.ts";
import type { Feed } from "../feed/feed.ts";
import type { PageCache } from "../feed/page-cache.ts";
import type { Counters } from "../stats.ts";
import type { Readers } from "./readers.ts";

/** Where a reader begins. */
export type ReadOrigin = "now" | "start" | "unreadable" | Position;

/** The parts of the hub that a reader uses. */
export interface ReaderContext {
  readonly feed: Feed;
  readonly locator: Locator;
  readonly pages: PageCache;
  readonly counters: Counters;
  readonly readers: Readers;
}
