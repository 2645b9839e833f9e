import { expect, test } from "vitest";
import type { CompleteLog } from "../../../src/log/complete.ts";
import type { Appended, TailBatch } from "../../../src/log/log.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { type LogSuiteOptions, testLog } from "../../../src/testing/index.ts";
import { plainStorage } from "../../support/plain-log.ts";

/** The behavior of a broken log instead of the working one. */
type Break = (log: CompleteLog) => Partial<CompleteLog>;

/** Each of these breaks one sentence of the contract; the suite must find it, in a test of the subject named first. */
const broken: Record<string, [subject: RegExp, Break]> = {
  "stores a part of a call": [
    /^append: a call is stored as a whole/,
    (log) => ({ append: async (entries) => (await Promise.all(entries.map((entry) => log.append([entry])))).flat() }),
  ],
  "resolves before it has stored": [
    /^read: what was appended is read at once/,
    (log) => {
      let stored = Promise.resolve();
      return {
        append: async (entries) => {
          const { top, epoch } = await log.head();
          stored = stored.then(() => new Promise((resolve) => setTimeout(resolve, 1)));
          stored.then(() => log.append(entries)).catch(() => {});
          return entries.map((_, i) => ({ epoch, offset: top + i + 1, witness: 1 }));
        },
      };
    },
  ],
  "ignores after": [
    /^after: accepts/,
    (log) => ({ append: (entries) => log.append(entries.map(({ after: _, ...entry }) => entry)) }),
  ],
  "ignores idempotency keys": [
    /^idempotencyKey: a repeated/,
    (log) => ({ append: (entries) => log.append(entries.map(({ idempotencyKey: _, ...entry }) => entry)) }),
  ],
  "ignores keys": [
    /^key: superseded/,
    (log) => ({ append: (entries) => log.append(entries.map(({ key: _, ...entry }) => entry)) }),
  ],
  "creates new witnesses": [
    /^append: each entry has a random witness/,
    (log) => ({
      read: async (...args) => {
        const page = await log.read(...args);
        return { ...page, entries: page.entries.map((entry) => ({ ...entry, witness: entry.witness ^ 1 })) };
      },
    }),
  ],
  "loses characters": [
    /^append: an entry comes back as it was/,
    (log) => ({ append: (entries) => log.append(entries.map((entry) => ({ ...entry, data: entry.data.trim() }))) }),
  ],
  "declares no loss": [
    /^retention: a reader that is overtaken/,
    (log) => ({ read: async (...args) => ({ ...(await log.read(...args)), trimmed: 0 }) }),
  ],
  "declares the loss of others": [
    /^retention: a channel hears only/,
    (log) => ({
      read: async (after, options) => {
        const page = await log.read(after, options);
        return { ...page, trimmed: page.floor.offset };
      },
    }),
  ],
  "does not count what it conflates": [
    /^key: each superseded entry is counted/,
    (log) => ({ read: async (...args) => ({ ...(await log.read(...args)), conflated: 0 }) }),
  ],
  "says through where it has not read": [
    /^read: pages follow each other/,
    (log) => ({ read: async (...args) => ({ ...(await log.read(...args)), through: (await log.head()).top }) }),
  ],
  "knows no prefixes": [
    /^selection: channels by name, prefixes/,
    (log) => ({
      read: (after, { selection, ...options }) =>
        log.read(after, { ...options, selection: selection && { ...selection, prefixes: [] } }),
    }),
  ],
  "forgets the newest of a key": [
    /^key: the newest outlives retention/,
    (log) => ({
      latestByKey: async (...args) => {
        const { floor } = await log.head();
        const page = await log.latestByKey(...args);
        return { ...page, entries: page.entries.filter(({ offset }) => offset > floor.offset) };
      },
    }),
  ],
  "counts superseded entries among the last": [
    /^last: the newest|^key: last/,
    (log) => ({ last: async (count, selection) => (await log.last(count + 1, selection)).slice(0, count) }),
  ],
  "gives a tail only what is new": [
    /^tail: hands over what is there/,
    (log) => ({
      tail: (after, onEntries, onError) => {
        let first = true;
        return log.tail(
          { ...after, epoch: "other" },
          (batch) => {
            if (!first) onEntries(batch);
            first = false;
          },
          onError,
        );
      },
    }),
  ],
  "gives a tail some things twice": [
    /^tail: catches up/,
    (log) => ({
      tail: (after, onEntries, onError) =>
        log.tail(
          after,
          (batch) => {
            onEntries(batch);
            if (batch.entries.length > 1) onEntries({ ...batch, entries: batch.entries.slice(-1) });
          },
          onError,
        ),
    }),
  ],
  "hands over after a tail was closed": [
    /^tail: is silent/,
    (log) => ({
      tail: (after, onEntries, onError) => {
        log.tail(after, onEntries, onError);
        return { close() {} };
      },
    }),
  ],
  "does not know that it is closed": [
    /^close: /,
    (log) => {
      let closed = false;
      return {
        head: async () => (closed ? { epoch: "x", top: 0, witness: 1, floor: { offset: 0, witness: 1 } } : log.head()),
        close: () => {
          closed = true;
          return log.close();
        },
      };
    },
  ],
  "trims before it must": [
    /^retention: nothing is taken/,
    (log) => ({ read: async (...args) => ({ ...(await log.read(...args)), trimmed: 1 }) }),
  ],
};

/** The same of logs that can lose their newest entries. */
const brokenLossy: typeof broken = {
  "waits in a tail until it is past the lost entries": [
    /^loss: a tail/,
    (log) => ({
      tail: (after, onEntries, onError) => {
        let last = after.offset;
        const take = ({ epoch, entries }: TailBatch) => {
          const rest = entries.filter(({ offset }) => offset > last);
          last = Math.max(last, ...rest.map(({ offset }) => offset));
          if (rest.length > 0) onEntries({ epoch, entries: rest });
        };
        return log.tail(after, take, onError);
      },
    }),
  ],
  "answers a repeated publish with a lost position": [
    /^loss: what was promised/,
    (log) => {
      const answers = new Map<string, Appended>();
      return {
        append: async (entries) => {
          const known = answers.get(entries[0]?.idempotencyKey ?? "");
          if (known !== undefined) return [{ ...known, duplicate: true }];
          const appended = await log.append(entries);
          for (const [i, { idempotencyKey }] of entries.entries()) {
            if (idempotencyKey !== undefined) answers.set(idempotencyKey, appended[i] as Appended);
          }
          return appended;
        },
      };
    },
  ],
};

test.each(Object.entries(broken))("the suite finds a log that %s", async (_, [subject, change]) => {
  const failed = await failures((retention) => ({ open: () => changed(memoryLog(retention), change) }));
  expect(failed.filter((name) => subject.test(name)).length, failed.join("\n")).toBeGreaterThan(0);
  // A log that cannot even be opened would fail in everything.
  expect(failed).not.toContain(sound);
});

test.each(Object.entries(brokenLossy))("the suite finds a log that %s", async (_, [subject, change]) => {
  const failed = await failures((retention) => plainStorage(retention, (log) => changed(log, change)), true);
  expect(failed.filter((name) => subject.test(name)).length, failed.join("\n")).toBeGreaterThan(0);
  // A log that cannot even be opened would fail in everything.
  expect(failed).not.toContain(sound);
});

test("the suite finds nothing in a log that works", async () => {
  expect(await failures((retention) => ({ open: () => memoryLog(retention) }))).toEqual([]);
});

/** A test of the suite of what none of these breaks. */
const sound = "append: an empty log has an epoch and nothing else";

/** Names of the tests of the suite that fail. */
async function failures(storage: LogSuiteOptions["storage"], lossy = false): Promise<string[]> {
  const tests: [name: string, run: () => Promise<void>][] = [];
  testLog({ test: (name, run) => tests.push([name, run]), storage, lossy, deadline: 500 });
  const results = await Promise.allSettled(tests.map(([, run]) => run()));
  return tests.filter((_, i) => results[i]?.status === "rejected").map(([name]) => name);
}

function changed(log: CompleteLog, change: Break): CompleteLog {
  const methods = change(log);
  return new Proxy(log, {
    get(_, name: keyof CompleteLog) {
      const method: unknown = methods[name] ?? log[name];
      // A promise that is resolved with a log asks whether it is one, too.
      return typeof method === "function" ? method.bind(log) : method;
    },
  });
}
