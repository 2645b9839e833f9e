// Which calls of a tick are sent together.
import type { Job } from "./jobs.ts";

/** The server takes no larger batch: a longer call is stored in several, one after the other. */
export const maxBatch = 1_000;
/** From this many entries on, one batch costs the server less than messages of their own: it has a file of its own. */
const leastBatch = 64;

/** A call that can be sent. */
export interface Prepared {
  readonly job: Job;
  /** The sequence of the newest entry of each channel with a condition. */
  readonly expected: ReadonlyMap<string, number>;
}

/** Calls that are sent together, or one alone. */
export type Part = readonly Prepared[];

/**
 * In the order of the calls. Those that depend on what is stored before them are sent alone: the server compares a whole
 * batch with what was there before it.
 */
export function* partsOf(prepared: readonly (Prepared | Error)[]): Generator<Part | Error> {
  let run: Prepared[] = [];
  for (const each of prepared) {
    if (!(each instanceof Error) && isPlain(each.job)) run.push(each);
    else {
      // Before the call that is sent alone, so that the order of the calls stays.
      yield* batchesOf(run);
      run = [];
      yield each instanceof Error ? each : [each];
    }
  }
  yield* batchesOf(run);
}

/** A call is never split between two batches here. */
function* batchesOf(run: readonly Prepared[]): Generator<Part> {
  // Entries of all calls: if there are as many as calls, each is a single message.
  const count = run.reduce((sum, { job }) => sum + job.entries.length, 0);
  if (run.length === count && count < leastBatch) {
    for (const each of run) yield [each];
    return;
  }
  let batch: Prepared[] = [];
  let size = 0;
  for (const each of run) {
    const { length } = each.job.entries;
    // A call would lose its atomicity if a part of it were in the next batch.
    if (batch.length > 0 && size + length > maxBatch) {
      yield batch;
      batch = [];
      size = 0;
    }
    batch.push(each);
    size += length;
  }
  if (batch.length > 0) yield batch;
}

/** Neither conditions nor keys, and nothing that is known of an earlier attempt. */
function isPlain({ call, entries }: Job): boolean {
  return (
    // An attempt after the first may find a part stored, which would reject the whole batch.
    call.attempt === 1 &&
    entries.length <= maxBatch &&
    entries.every(({ entry, appended }) => {
      return entry.after === undefined && entry.idempotencyKey === undefined && appended === undefined;
    })
  );
}
