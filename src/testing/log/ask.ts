// Questions to a log in the short form that tests need, and how tests name what they ask for.
import assert from "node:assert/strict";
import type { CompleteLog } from "../../log/complete.ts";
import type { ChannelSelection, Log, LogEntry, NewEntry, Page, Position, ReadOptions } from "../../log/log.ts";

/** One page, superseded entries left out, of any number of bytes unless `options` say otherwise. */
export function read(
  log: Log,
  after: number,
  limit: number,
  selection?: ChannelSelection,
  options?: Partial<ReadOptions>,
): Promise<Page> {
  return log.read(after, { limit, maxBytes: Number.MAX_SAFE_INTEGER, selection, conflate: true, ...options });
}

/** The position of the log at an offset. Fails where the log no longer knows its witness. */
export async function at(log: CompleteLog, offset: number): Promise<Position> {
  const { epoch } = await log.head();
  const witness = await witnessAt(log, offset);
  if (witness === undefined) throw new Error(`The log does not know the witness at ${offset}`);
  return { epoch, offset, witness };
}

/** `undefined` for an offset that the log does not have, or whose witness it no longer keeps. */
export async function witnessAt(log: CompleteLog, offset: number): Promise<number | undefined> {
  return (await log.witnesses([offset]))[0];
}

/** The newest entry of each key of a selection, in one page: that pages fit together has scenarios of its own. */
export async function values(log: CompleteLog, selection: ChannelSelection): Promise<readonly LogEntry[]> {
  const { top } = await log.head();
  return (await log.latestByKey(selection, { after: 0, upTo: top, maxBytes: Number.MAX_SAFE_INTEGER })).entries;
}

/**
 * The highest offset trimmed from a selection. Read at the head, where a page has no entries: `trimmed` is about the selection
 * and not about the page.
 */
export async function trimmed(log: Log, selection: ChannelSelection, options?: Partial<ReadOptions>): Promise<number> {
  const { top } = await log.head();
  return (await read(log, top, 1, selection, options)).trimmed;
}

/** Reads page after page to the head, and checks that pages keep their promises. */
export async function readOn(
  log: Log,
  after: number,
  limit: number,
  selection?: ChannelSelection,
  options?: Partial<ReadOptions>,
): Promise<LogEntry[]> {
  const found: LogEntry[] = [];
  // The head of this moment bounds the loop: a log that others append to would never be read to its end.
  const { top } = await log.head();
  for (let position = after; position < top; ) {
    const { entries, through } = await read(log, position, limit, selection, options);
    assert.ok(entries.length <= limit, `${entries.length} entries in a page of ${limit}`);
    // Without progress, a subscription would read the same page forever.
    assert.ok(through > position, `through stays at ${through}`);
    const isWithin = ({ offset }: LogEntry) => offset > position && offset <= through;
    assert.ok(entries.every(isWithin), "entries that are not between after and through");
    found.push(...entries);
    position = through;
  }
  return found;
}

/** An entry of the type `message`, with fields only where they matter to the test. */
export function entry(channel: string, data = "", fields: Partial<NewEntry> = {}): NewEntry {
  return { channel, type: "message", data, ...fields };
}

/** Selects channels by name, and by prefix where the name ends with `*`. */
export function select(...names: string[]): ChannelSelection {
  return {
    channels: names.filter((name) => !name.endsWith("*")),
    prefixes: names.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1)),
  };
}

/** The numbers from `first` to `last`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

/** Most scenarios compare offsets alone: a failed comparison prints a list that shows the hole. */
export function offsetsOf(entries: readonly { readonly offset: number }[]): number[] {
  return entries.map(({ offset }) => offset);
}

/** The data of entries, which scenarios choose so that it tells where an entry came from. */
export function dataOf(entries: readonly LogEntry[]): string[] {
  return entries.map(({ data }) => data);
}

/** A check for `assert.rejects`, by the code: a log may throw the error class of another copy of the package. */
export function hasCode(code: string): (error: unknown) => boolean {
  return (error) => (error as { code?: unknown } | null)?.code === code;
}
