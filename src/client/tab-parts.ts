// The parts of the page's code that the code of tabs uses. That is loaded later: if it imported these, bundlers would split the
// code of the page into two files, which costs every page 0.4 kB.
import { parseCursor } from "../wire/cursor.ts";
import { StreamError } from "./errors.ts";
import { Handover } from "./handover.ts";
import { Line } from "./line.ts";
import { isNew } from "./position.ts";
import type { UpstreamContext } from "./upstream.ts";

/** A field of the context of a connection. */
export const tabParts: TabParts = { Handover, Line, StreamError, isNew, parseCursor };

/** The classes and functions themselves, not their types alone. */
export interface TabParts {
  readonly Handover: typeof Handover;
  readonly Line: typeof Line;
  readonly StreamError: typeof StreamError;
  readonly isNew: typeof isNew;
  readonly parseCursor: typeof parseCursor;
}

/** The context of a connection that tabs share. */
export interface TabContext extends UpstreamContext {
  readonly parts: TabParts;
}
