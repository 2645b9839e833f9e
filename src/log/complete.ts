// A log with all optional methods: those that it lacks are composed of the required ones.
import { anObjectWith, type OptionCheck, optionError } from "../base/options.ts";
import type {
  ChannelSelection,
  Head,
  LastLog,
  LocateAnswer,
  Located,
  LocateQuestion,
  LocatingLog,
  Log,
  LogCapability,
  LogEntry,
  Page,
  ValueLog,
  ValueOptions,
  ValuePage,
  WitnessLog,
} from "./log.ts";
import { internalPage } from "./page-size.ts";
import { weightOf } from "./retention.ts";

/** A log that has every optional method. */
export interface CompleteLog extends Log, WitnessLog, LastLog, ValueLog, LocatingLog {
  witnesses: WitnessLog["witnesses"];
  last: LastLog["last"];
  latestByKey: ValueLog["latestByKey"];
  locate: LocatingLog["locate"];
}

const aMethodful: OptionCheck = anObjectWith("a log such as memoryLog()", "append", "head", "read", "tail", "close");

/** By its methods: an application's log need not extend a class. */
export const aLog: OptionCheck = (value, name) => {
  aMethodful(value, name);
  const { capabilities } = value as { capabilities?: { has?: unknown } };
  if (typeof capabilities?.has !== "function") {
    throw optionError(`${name}.capabilities`, capabilities, "a set of the optional methods that the log has");
  }
};

const composable = ["witnesses", "last", "latestByKey", "locate"] as const satisfies readonly LogCapability[];

/**
 * Adds the optional methods that a log lacks, composed from those that it has. They are correct, but not fast: the
 * composed `latestByKey` reads the selected channels to the head, and `locate` asks several questions.
 *
 * @returns The log itself when it lacks nothing.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for anything but a log.
 * @example
 * ```ts
 * import { completeLog } from "sourcecast/log";
 * import { memoryLog } from "sourcecast/memory";
 *
 * const log = completeLog(memoryLog());
 * const { head, answers } = await log.locate([{ cursor: null, selection: { channels: ["news"], prefixes: [] } }]);
 * console.log(head.top, answers[0]?.verification); // 0 same
 * await log.close();
 * ```
 */
export function completeLog(log: Log): CompleteLog {
  aLog(log, "log");
  const lacking = composable.filter((name) => log[name] === undefined);
  if (lacking.length === 0) return log as CompleteLog;
  const witnesses: WitnessLog["witnesses"] = log.witnesses?.bind(log) ?? ((offsets) => findWitnesses(log, offsets));
  const last: LastLog["last"] = log.last?.bind(log) ?? ((count, selection) => findLast(log, count, selection));
  const latestByKey: ValueLog["latestByKey"] =
    log.latestByKey?.bind(log) ?? ((selection, options) => findValues(log, selection, options));
  const parts: LocateParts = {
    head: () => log.head(),
    trimmed: async (after, selection) => {
      return (await log.read(after, { limit: 1, maxBytes: 1, selection, conflate: true })).trimmed;
    },
    // Composed, the answer would cost a scan: it is as well to say that there may be values.
    hasValues: async (selection, upTo) =>
      log.latestByKey === undefined ||
      (await latestByKey(selection, { after: 0, upTo, maxBytes: 1 })).entries.length > 0,
    witnesses,
    last,
  };
  return {
    capabilities: new Set([...log.capabilities, ...composable]),
    append: (entries) => log.append(entries),
    head: () => log.head(),
    read: (after, options) => log.read(after, options),
    tail: (after, onEntries, onError) => log.tail(after, onEntries, onError),
    close: () => log.close(),
    witnesses,
    last,
    latestByKey,
    locate: log.locate?.bind(log) ?? ((questions) => locate(parts, questions)),
    ...(log.appendIn && { appendIn: log.appendIn.bind(log) }),
    ...(log.clear && { clear: log.clear.bind(log) }),
  };
}

/** An entry vouches for the position before it: one short page for each offset, all at once. */
async function findWitnesses(log: Log, offsets: readonly number[]): Promise<(number | undefined)[]> {
  const head = await log.head();
  return Promise.all(
    offsets.map(async (offset) => {
      if (offset === head.top) return head.witness;
      if (offset === head.floor.offset) return head.floor.witness;
      if (offset > head.top || offset < head.floor.offset) return undefined;
      const { entries, epoch } = await log.read(offset, { limit: 1, maxBytes: 1, conflate: false });
      return epoch === head.epoch && entries[0]?.offset === offset + 1 ? entries[0].previousWitness : undefined;
    }),
  );
}

/** Reads from the end, each time twice as far back, until enough has been found. */
async function findLast(log: Log, count: number, selection: ChannelSelection): Promise<LogEntry[]> {
  const found: LogEntry[] = [];
  const keys = new Set<string>();
  let { top: end } = await log.head();
  for (let width = Math.max(64, count * 4); end > 0 && found.length < count; width *= 2) {
    const begin = Math.max(0, end - width);
    const entries: LogEntry[] = [];
    await eachPage(log, begin, end, selection, (page) => entries.push(...page.entries));
    // From the newest on, an entry with a key that has been seen is superseded.
    for (const entry of entries.reverse()) {
      if (found.length < count && entry.offset <= end && !isKnown(keys, entry)) found.push(entry);
    }
    end = begin;
  }
  return found.reverse();
}

/** The newest of each key among all selected entries after `options.after`; of these, the first page. */
async function findValues(
  log: Log,
  selection: ChannelSelection,
  { after, upTo, maxBytes }: ValueOptions,
): Promise<ValuePage> {
  const newest = new Map<string, LogEntry>();
  let { top, epoch } = await log.head();
  await eachPage(log, after, top, selection, (page) => {
    epoch = page.epoch;
    for (const entry of page.entries) if (entry.key !== undefined) newest.set(keyOf(entry), entry);
  });
  const values = [...newest.values()].filter(({ offset }) => offset <= upTo).sort((a, b) => a.offset - b.offset);
  let bytes = 0;
  const entries: LogEntry[] = [];
  for (const entry of values) {
    bytes += weightOf(entry);
    if (entries.length > 0 && bytes > maxBytes) return { epoch, entries, through: entries.at(-1)?.offset as number };
    entries.push(entry);
  }
  return { epoch, entries, through: upTo };
}

/** Calls back with each page of (after, upTo], oldest first; the last page may reach further. */
async function eachPage(
  log: Log,
  after: number,
  upTo: number,
  selection: ChannelSelection,
  visit: (page: Page) => void,
): Promise<void> {
  for (let position = after; position < upTo; ) {
    const page = await log.read(position, { ...internalPage, selection, conflate: true });
    visit(page);
    // A log that was cut off in between has nothing more to give.
    if (page.through <= position) return;
    position = page.through;
  }
}

/** The questions of which a composed `locate` is made. */
export interface LocateParts {
  head(): Promise<Head>;
  trimmed(after: number, selection: ChannelSelection): Promise<number>;
  hasValues(selection: ChannelSelection, upTo: number): Promise<boolean>;
  witnesses(offsets: readonly number[]): Promise<(number | undefined)[]>;
  last(count: number, selection: ChannelSelection): Promise<LogEntry[]>;
}

/** Asks what several clients need to know. No question waits for another one. */
async function locate(parts: LocateParts, questions: readonly LocateQuestion[]): Promise<Located> {
  const head = await parts.head();
  const offsets = questions.flatMap(({ cursor }) => (isBelow(cursor, head) ? cursor.offset : []));
  const [known, answers] = await Promise.all([
    offsets.length === 0 ? [] : parts.witnesses(offsets),
    Promise.all(questions.map((question) => describe(parts, head, question))),
  ]);
  const byOffset = new Map(offsets.map((offset, index) => [offset, known[index]]));
  return {
    head,
    answers: questions.map(({ cursor }, index) => ({
      verification: verify(cursor, head, (offset) => byOffset.get(offset)),
      ...(answers[index] as Omit<LocateAnswer, "verification">),
    })),
  };
}

async function describe(parts: LocateParts, head: Head, { cursor, selection }: LocateQuestion) {
  const [ends, trimmed, hasValues] = await Promise.all([
    Promise.all([...new Set(selection.channels)].map((name) => parts.last(1, { channels: [name], prefixes: [] }))),
    parts.trimmed(cursor?.epoch === head.epoch ? Math.min(cursor.offset, head.top) : head.top, selection),
    parts.hasValues(selection, head.top),
  ]);
  const isEnd = ({ type }: LogEntry) => type === "sse:end";
  return {
    ends: ends
      .flat()
      .filter(isEnd)
      .sort((a, b) => a.offset - b.offset),
    // The log may have trimmed more since the head was read. Readers notice that from the next page.
    trimmed: Math.min(trimmed, head.floor.offset),
    hasValues,
  };
}

/**
 * Whether a log has what a cursor names.
 *
 * @param witnessAt The witness at an offset below the head, `undefined` where it is not known.
 */
export function verify(
  cursor: LocateQuestion["cursor"],
  head: Pick<Head, "epoch" | "top" | "witness">,
  witnessAt: (offset: number) => number | undefined,
): LocateAnswer["verification"] {
  if (cursor === null) return "same";
  if (cursor.epoch !== head.epoch || cursor.offset > head.top) return "other";
  const witness = cursor.offset === head.top ? head.witness : witnessAt(cursor.offset);
  if (witness === undefined) return "unknown";
  return witness === cursor.witness ? "same" : "other";
}

function isBelow(cursor: LocateQuestion["cursor"], head: Head): cursor is NonNullable<LocateQuestion["cursor"]> {
  return cursor !== null && cursor.epoch === head.epoch && cursor.offset < head.top;
}

function isKnown(keys: Set<string>, entry: LogEntry): boolean {
  if (entry.key === undefined) return false;
  const key = keyOf(entry);
  if (keys.has(key)) return true;
  keys.add(key);
  return false;
}

/** No two pairs of channel and key have the same. */
function keyOf({ channel, key }: LogEntry): string {
  return JSON.stringify([channel, key]);
}
