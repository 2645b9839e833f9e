// `log.clear()`: erases a channel, and waits until nothing of it is left in the journal.
import { now } from "../../base/clock.ts";
import { LogError, quote } from "../../base/errors.ts";
import type { Appended, LogEntry } from "../../log/log.ts";
import type { Session } from "./session.ts";

/** How long to wait before the journal is tried again, in milliseconds. */
const journalRetryMs = 5;

/**
 * Erases a channel. Other transactions continue while the journal waits to be emptied: a reader of another process may
 * still need it.
 *
 * @throws {LogError} when that takes longer than `busyTimeout`. The channel is cleared then, and a later checkpoint erases the rest.
 */
export async function clearChannel(channel: string, log: ClearingContext): Promise<Appended | null> {
  const erased = await log.attempt(({ eraser }) => eraser?.erase(channel) ?? null);
  if (erased === null) return null;
  const { epoch, entry } = erased;
  log.finish(epoch, entry);
  const deadline = now() + log.busyTimeout;
  while (!(await log.attempt(({ eraser }) => eraser?.emptyJournal() ?? true))) {
    if (now() >= deadline) {
      throw new LogError(
        `The channel ${quote(channel)} was cleared, but its data is still in the journal, which another process reads; ` +
          "end that process's transaction, and clear the channel again",
        false,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, journalRetryMs));
  }
  return { epoch, offset: entry.offset, witness: entry.witness };
}

/** The parts of the log that are used. */
interface ClearingContext {
  readonly busyTimeout: number;
  attempt<T>(work: (session: Session) => T): T | Promise<T>;
  finish(epoch: string, entry: LogEntry): void;
}
