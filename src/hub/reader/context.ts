// The parts of the hub that a reader uses, and where it begins.
import type { ChannelSelection, Position } from "../../log/log.ts";
import type { Locator } from "../admission/locator.ts";
import type { Feed } from "../feed/feed.ts";
import type { PageCache, PageQuery } from "../feed/page-cache.ts";
import { selectionKey } from "../selection.ts";
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

/** The pages of a reader: the same as those of subscriptions that lag on these channels. */
export function entriesOf(selection: ChannelSelection): PageQuery {
  const key = `conflated ${selectionKey(selection)}`;
  return { kind: "conflated", selection, upTo: Number.POSITIVE_INFINITY, key };
}
