// Logs that break the promises of append().
import { LogError } from "../../../../src/base/errors.ts";
import type { Appended, NewEntry, Position } from "../../../../src/log/log.ts";
import type { BrokenLogs } from "./changed.ts";

export const brokenAppends: BrokenLogs = {
  "returns positions in another order": {
    found: /^append: offsets are/,
    change: (log) => ({ append: async (entries) => (await log.append(entries)).reverse() }),
  },
  "stores the entries of a call one by one": {
    found: /^append: an atomic batch is stored next to each other/,
    change: (log) => ({
      append: async (entries) => {
        const appended: Appended[] = [];
        for (const entry of entries) appended.push(...(await log.append([entry])));
        return appended;
      },
    }),
  },
  "stores a part of a call": {
    found: /^after: nothing of a call is stored/,
    change: (log) => ({
      append: async (entries) => (await Promise.all(entries.map((entry) => log.append([entry])))).flat(),
    }),
  },
  "resolves before it has stored": {
    found: /^read: an entry is read as soon as it was appended/,
    change: (log) => {
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
  },
  "loses characters": {
    found: /^append: an entry comes back as it was/,
    change: (log) => ({ append: (entries) => log.append(changeAll(entries, ({ data }) => ({ data: data.trim() }))) }),
  },
  "ignores keys": {
    found: /^key: superseded/,
    change: (log) => ({ append: (entries) => log.append(changeAll(entries, () => ({ key: undefined }))) }),
  },
  "ignores after": {
    found: /^after: accepts/,
    change: (log) => ({ append: (entries) => log.append(changeAll(entries, () => ({ after: undefined }))) }),
  },
  "compares the offset of after alone": {
    found: /^after: a position that is not one of this log/,
    change: (log) => ({
      append: async (entries) => {
        const known = new Map<number, Position>();
        const { epoch, top } = await log.head();
        for (const { after } of entries) {
          if (after === undefined) continue;
          const offset = Math.min(after.offset, top);
          const [witness = after.witness] = await log.witnesses([offset]);
          known.set(after.offset, { epoch, offset, witness });
        }
        return log.append(changeAll(entries, ({ after }) => ({ after: after && known.get(after.offset) })));
      },
    }),
  },
  "takes a position that it cannot verify for a good one": {
    found: /^after: a position whose entry is gone/,
    change: (log) => ({
      append: async (entries) => {
        const { floor } = await log.head();
        const isGone = ({ after }: NewEntry) => after !== undefined && after.offset < floor.offset;
        return log.append(changeAll(entries, (entry) => (isGone(entry) ? { after: undefined } : {})));
      },
    }),
  },
  "ignores idempotency keys": {
    found: /^idempotencyKey: a repeated/,
    change: (log) => ({ append: (entries) => log.append(changeAll(entries, () => ({ idempotencyKey: undefined }))) }),
  },
  "remembers idempotency keys forever, lost entries included": {
    found: /^idempotencyKey: is forgotten/,
    change: (log) => {
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
  },
  "says that nothing was stored when it does not know": {
    found: /^failure: entries whose answer was lost/,
    change: (log) => ({
      append: (entries) =>
        log.append(entries).catch((error) => {
          throw error instanceof LogError ? new LogError(error.message, false) : error;
        }),
    }),
  },
  "stores again when an answer was lost": {
    found: /^failure: entries whose answer was lost/,
    change: (log) => ({
      append: async (entries) => {
        for (;;) {
          try {
            return await log.append(entries);
          } catch (error) {
            if (!(error instanceof LogError)) throw error;
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        }
      },
    }),
  },
  "resolves though nothing was stored": {
    found: /^failure: entries that were not stored/,
    change: (log) => ({
      append: async (entries) => {
        const { epoch, top } = await log.head();
        const guess = entries.map((_, i) => ({ epoch, offset: top + 1 + i, witness: 1 }));
        return log.append(entries).catch((error) => {
          if (error instanceof LogError) return guess;
          throw error;
        });
      },
    }),
  },
};

function changeAll(entries: readonly NewEntry[], change: (entry: NewEntry) => Partial<NewEntry>): NewEntry[] {
  return entries.map((entry) => ({ ...entry, ...change(entry) }));
}
