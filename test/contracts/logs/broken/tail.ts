// Logs whose tails are wrong.
import type { LogEntry, Tail, TailBatch } from "../../../../src/log/log.ts";
import type { BrokenLog, BrokenLogs } from "./changed.ts";

export const brokenTails: BrokenLogs = {
  "gives a tail only what is new": {
    found: /^tail: delivers the entries after a position/,
    change: (log) => ({
      tail: (after, onEntries, onError) =>
        later(log.head(), ({ epoch, top, witness }) => {
          return log.tail(after.offset > top ? after : { epoch, offset: top, witness }, onEntries, onError);
        }),
    }),
  },
  "gives a tail some entries twice": changing(/^tail: catches up/, (batch, onEntries) => {
    onEntries(batch);
    if (batch.entries.length > 1) onEntries({ ...batch, entries: batch.entries.slice(-1) });
  }),
  "gives a tail entries without their keys": changing(/^tail: has the entries that a reader has/, (batch, onEntries) =>
    onEntries({ ...batch, entries: batch.entries.map((entry) => ({ ...entry, key: undefined })) }),
  ),
  "leaves superseded entries out of tails": changing(/^key: a tail delivers superseded/, (batch, onEntries) => {
    const isNewest = ({ key, offset }: LogEntry) =>
      key === undefined || !batch.entries.some((other) => other.key === key && other.offset > offset);
    onEntries({ ...batch, entries: batch.entries.filter(isNewest) });
  }),
  "removes entries before its tails have got them": {
    found: /^tail: a burst longer than the log/,
    change: (log) => ({
      tail: (after, onEntries, onError) =>
        log.tail(
          after,
          ({ epoch, entries }) => {
            const deliver = async () => {
              const { floor } = await log.head();
              const rest = entries.filter(({ offset }) => offset > floor.offset);
              if (rest.length > 0) onEntries({ epoch, entries: rest });
            };
            deliver().catch(onError);
          },
          onError,
        ),
    }),
  },
  "begins at the head when the position was trimmed": {
    found: /^tail: begins with the oldest entry/,
    change: (log) => ({
      tail: (after, onEntries, onError) =>
        later(log.head(), ({ epoch, top, witness, floor }) => {
          const isTrimmed = after.offset < floor.offset;
          return log.tail(isTrimmed ? { epoch, offset: top, witness } : after, onEntries, onError);
        }),
    }),
  },
  "does not verify the position of a tail": {
    found: /^tail: a position that the log does not hold/,
    change: (log) => ({
      tail: (after, onEntries, onError) =>
        later(Promise.all([log.head(), log.witnesses([after.offset])]), ([{ epoch }, [witness]]) => {
          return log.tail({ epoch, offset: after.offset, witness: witness ?? after.witness }, onEntries, onError);
        }),
    }),
  },
  "waits in a tail until it is past what was lost": {
    found: /^loss: a tail continues/,
    change: (log) => ({
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
  },
  "calls handlers within a call of append": {
    found: /^tail: a handler that appends is not called within itself/,
    change: (log) => {
      const handlers = new Set<() => void>();
      return {
        append: (entries) => {
          for (const handler of handlers) handler();
          return log.append(entries);
        },
        tail: (after, onEntries, onError) => {
          const handler = () => onEntries({ epoch: after.epoch, entries: [] });
          handlers.add(handler);
          const tail = log.tail(after, onEntries, onError);
          return {
            close() {
              handlers.delete(handler);
              tail.close();
            },
          };
        },
      };
    },
  },
  "swallows errors of handlers": changing(/^tail: an error that a handler throws/, (batch, onEntries) => {
    try {
      onEntries(batch);
    } catch {
      // No handler is called.
    }
  }),
  "delivers after a tail was closed": {
    found: /^tail: delivers nothing once it is closed/,
    change: (log) => ({
      tail: (after, onEntries, onError) => {
        log.tail(after, onEntries, onError);
        return { close() {} };
      },
    }),
  },
};

/** A log that changes how batches are delivered. */
function changing(found: RegExp, change: (batch: TailBatch, onEntries: (batch: TailBatch) => void) => void): BrokenLog {
  return {
    found,
    change: (log) => ({
      tail: (after, onEntries, onError) => log.tail(after, (batch) => change(batch, onEntries), onError),
    }),
  };
}

/** A tail that begins when something is known. */
function later<T>(known: Promise<T>, begin: (value: T) => Tail): Tail {
  let tail: Tail | null = null;
  let closed = false;
  const start = async () => {
    const value = await known;
    if (!closed) tail = begin(value);
  };
  // The log may be closed by then.
  start().catch(() => {});
  return {
    close() {
      closed = true;
      tail?.close();
    },
  };
}
