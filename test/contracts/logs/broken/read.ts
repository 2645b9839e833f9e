// Logs whose answers are wrong.
import type { CompleteLog } from "../../../../src/log/complete.ts";
import type { LogEntry, Page, Position, ReadOptions, ValuePage } from "../../../../src/log/log.ts";
import { plainStorage } from "../../../support/plain-log.ts";
import type { BrokenLog, BrokenLogs } from "./changed.ts";

export const brokenReads: BrokenLogs = {
  "has a witness of zero where there is none": {
    found: /^append: an empty log/,
    change: (log) => ({
      head: async () => {
        const head = await log.head();
        return head.top === 0 ? { ...head, witness: 0 } : head;
      },
    }),
  },
  "creates new witnesses": pages(/^append: each entry has a random witness/, (page) => ({
    entries: page.entries.map((entry) => ({ ...entry, witness: entry.witness ^ 1 })),
  })),
  "does not store the witness of the entry before": pages(/^append: each entry has the witness of/, (page) => ({
    entries: page.entries.map((entry) => ({ ...entry, previousWitness: page.floor.witness })),
  })),
  "says through where it has not read": {
    found: /^read: pages follow each other/,
    change: (log) => ({ read: async (...args) => ({ ...(await log.read(...args)), through: (await log.head()).top }) }),
  },
  "trims before it must": pages(/^read: through is where to read on/, () => ({ trimmed: 1 })),
  "does not bound pages by bytes": {
    found: /^read: a page has no more than maxBytes/,
    change: (log) => ({ read: (after, options) => log.read(after, { ...options, maxBytes: 1e9 }) }),
  },
  "returns nothing where one entry is over the bound": pages(/^read: a page has no more/, (page, { maxBytes }) =>
    page.entries[0] !== undefined && page.entries[0].data.length > maxBytes ? { entries: [] } : {},
  ),
  "knows no prefixes": {
    found: /^selection: channels by name, prefixes/,
    change: (log) => ({
      read: (after, { selection, ...options }) =>
        log.read(after, { ...options, selection: selection && { ...selection, prefixes: [] } }),
    }),
  },
  "takes names for patterns": {
    found: /^selection: a name is not a pattern/,
    change: (log) => ({
      read: async (after, options) => {
        const [name] = options.selection?.channels ?? [];
        if (name === undefined || !name.includes("_")) return log.read(after, options);
        const page = await log.read(after, { ...options, selection: undefined });
        const pattern = new RegExp(`^${name.replace("_", ".")}$`);
        return { ...page, entries: page.entries.filter(({ channel }) => pattern.test(channel)) };
      },
    }),
  },
  "ends a prefix at the last character that it thinks of": pages(
    /^prefix: whatever the names are/,
    (page, options) => ({
      entries: page.entries.filter(({ channel }) => {
        const prefix = options.selection?.prefixes.find((each) => channel.startsWith(each));
        return prefix === undefined || !channel.slice(prefix.length).startsWith("\u{10ffff}");
      }),
    }),
  ),
  "reads one channel after the other": pages(/^selection: of many channels/, (page, { selection }) =>
    selection === undefined ? {} : { entries: page.entries.toSorted((a, b) => (a.channel < b.channel ? -1 : 1)) },
  ),
  "counts superseded entries among the last": {
    found: /^last: the newest|^key: last/,
    change: (log) => ({ last: async (count, selection) => (await log.last(count + 1, selection)).slice(0, count) }),
  },
  "does not leave out superseded entries": {
    found: /^key: superseded entries are left out/,
    change: (log) => ({ read: (after, options) => log.read(after, { ...options, conflate: false }) }),
  },
  "does not count what it conflates": pages(/^key: each superseded entry is counted/, () => ({ conflated: 0 })),
  "treats keys of different channels as one": values(/^key: is one of its channel/, async (page, log) => {
    const { entries } = await log.read(0, { limit: 1_000, maxBytes: 1e9, conflate: false });
    const isNewest = ({ key, offset }: LogEntry) =>
      !entries.some((other) => other.key === key && other.offset > offset);
    return { entries: page.entries.filter(isNewest) };
  }),
  "returns values in another order": values(/^key: latestByKey returns/, async (page) => ({
    entries: page.entries.toReversed(),
  })),
  "does not bound pages of values": {
    found: /^key: pages of latestByKey/,
    change: (log) => ({
      latestByKey: (selection, options) => log.latestByKey(selection, { ...options, maxBytes: 1e9 }),
    }),
  },
  "returns values from outside of what was asked for": {
    found: /^key: pages of latestByKey/,
    change: (log) => ({ latestByKey: (selection, options) => log.latestByKey(selection, { ...options, after: 0 }) }),
  },
  "forgets the newest of a key": values(/^key: the newest outlives retention/, async (page, log) => {
    const { floor } = await log.head();
    return { entries: page.entries.filter(({ offset }) => offset > floor.offset) };
  }),
  "does not declare superseded entries that are gone": {
    found: /^key: a superseded entry that is gone/,
    change: (log) => ({
      read: async (after, options) => {
        const { trimmed } = await log.read(after, { ...options, conflate: true });
        return { ...(await log.read(after, options)), trimmed };
      },
    }),
  },
  "declares superseded entries as lost": {
    found: /^retention: an entry that a newer one of its key supersedes/,
    change: (log) => ({
      read: async (after, options) => {
        const { trimmed } = await log.read(after, { ...options, conflate: false });
        return { ...(await log.read(after, options)), trimmed };
      },
    }),
  },
  "declares no loss": pages(/^retention: a reader that is overtaken/, () => ({ trimmed: 0 })),
  "declares the loss of others": pages(/^retention: a channel is told only/, (page) => ({
    trimmed: page.floor.offset,
  })),
  "makes up witnesses of trimmed entries": {
    found: /^retention: witnesses of trimmed entries/,
    change: (log) => ({
      witnesses: async (offsets) =>
        (await log.witnesses(offsets)).map((witness, i) => witness ?? (offsets[i] ?? 0) + 1),
    }),
  },
  "keeps everything": { found: /^retention: maxEvents/, storage: () => plainStorage({}) },
  "removes entries before their time": {
    found: /^retention: no entry is removed/,
    storage: ({ maxEvents = 100, ...retention }) =>
      plainStorage({ ...retention, maxEvents: Math.min(100, Math.ceil(maxEvents / 2)) }),
  },
  "says same to every position": located(/^locate: tells positions/, () => ({ verification: "same" })),
  "says other to positions that it no longer knows": located(/^locate: a position whose entry is gone/, (answer) =>
    answer.verification === "unknown" ? { verification: "other" } : {},
  ),
  "finds no ends": located(/^locate: ends are/, () => ({ ends: [] })),
  "finds nothing trimmed": located(/^locate: trimmed/, () => ({ trimmed: 0 })),
  "finds no values": located(/^locate: trimmed is that of a page, and values/, () => ({ hasValues: false })),
  "mixes up the answers": {
    found: /^locate: answers several questions/,
    change: (log) => ({
      locate: async (questions) => {
        const { head, answers } = await log.locate(questions);
        return { head, answers: answers.toReversed() };
      },
    }),
  },
  "remembers a history that was lost": {
    found: /^restore: a lost position stays one/,
    change: (log) => {
      const known = new Set<string>();
      const textOf = ({ epoch, offset, witness }: Position) => `${epoch} ${offset} ${witness}`;
      return {
        append: async (entries) => {
          const appended = await log.append(entries);
          for (const position of appended) known.add(textOf(position));
          return appended;
        },
        locate: async (questions) => {
          const { head, answers } = await log.locate(questions);
          const isKnown = (i: number) => known.has(textOf(questions[i]?.cursor ?? (head.floor as never)));
          return {
            head,
            answers: answers.map((answer, i) => (isKnown(i) ? { ...answer, verification: "same" as const } : answer)),
          };
        },
      };
    },
  },
  "does not see that it has lost entries": {
    found: /^loss: the rest is the log/,
    change: (log) => {
      let highest = { top: 0 } as Awaited<ReturnType<CompleteLog["head"]>>;
      return {
        head: async () => {
          const head = await log.head();
          if (head.top >= highest.top) highest = head;
          return highest;
        },
      };
    },
  },
};

/** A log that changes each page. */
function pages(found: RegExp, change: (page: Page, options: ReadOptions) => Partial<Page>): BrokenLog {
  return {
    found,
    change: (log) => ({
      read: async (after, options) => {
        const page = await log.read(after, options);
        return { ...page, ...change(page, options) };
      },
    }),
  };
}

/** A log that changes each page of values. */
function values(found: RegExp, change: (page: ValuePage, log: CompleteLog) => Promise<Partial<ValuePage>>): BrokenLog {
  return {
    found,
    change: (log) => ({
      latestByKey: async (...args) => {
        const page = await log.latestByKey(...args);
        return { ...page, ...(await change(page, log)) };
      },
    }),
  };
}

type Answer = Awaited<ReturnType<CompleteLog["locate"]>>["answers"][number];

/** A log that changes each answer to a client. */
function located(found: RegExp, change: (answer: Answer) => Partial<Answer>): BrokenLog {
  return {
    found,
    change: (log) => ({
      locate: async (questions) => {
        const { head, answers } = await log.locate(questions);
        return { head, answers: answers.map((answer) => ({ ...answer, ...change(answer) })) };
      },
    }),
  };
}
