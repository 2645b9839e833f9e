// One test of the suite: opens logs and tails, and closes them afterwards.
import { type CompleteLog, completeLog } from "../../log/complete.ts";
import type { Log, LogCapability, LogEntry, Position, Retention, TailBatch } from "../../log/log.ts";
import type { LogStorage, LogSuiteOptions } from "./options.ts";

/** Defines one test of the suite: its name, the retention of its log, and its body. */
export type TestScenario = (name: string, retention: Retention, body: (context: TestContext) => Promise<void>) => void;

/** The parts of a test. Whatever it opens is closed after it. */
export interface TestContext {
  /** With the methods that it lacks composed of those that it has. */
  readonly log: CompleteLog;
  /** The storage of the log: scenarios lose its entries, copy it, or make it fail. */
  readonly storage: LogStorage;
  /** Whether the log itself has a capability. */
  declares(capability: LogCapability): boolean;
  /** Opens the same storage once more. */
  open(): Promise<CompleteLog>;
  /** Follows a log, this one unless another is given. */
  follow(after: Position, log?: Log): TailRecorder;
  /** Tries until the check holds: work in the background, or in another process, takes time. */
  eventually(check: () => Promise<void>): Promise<void>;
}

/** Binds the suite to a test framework, from which it needs only a function that takes a name and a body. */
export function createScenario(options: LogSuiteOptions): TestScenario {
  return (name, retention, body) => {
    options.test(name, () => run(options, retention, body));
  };
}

/**
 * Runs one test on a storage of its own. Errors that a tail reported fail the test, unless the test removed them: a
 * log that reports an error and then recovers would pass otherwise.
 */
async function run(
  { storage: makeStorage, deadline = 10_000 }: LogSuiteOptions,
  retention: Retention,
  body: (context: TestContext) => Promise<void>,
): Promise<void> {
  const storage = await makeStorage(retention);
  const logs: Log[] = [];
  const recorders: TailRecorder[] = [];
  const open = async () => {
    const log = await storage.open();
    logs.push(log);
    return log;
  };
  try {
    const opened = await open();
    const log = completeLog(opened);
    await within(deadline, (signal) =>
      body({
        log,
        storage,
        declares: (capability) => opened.capabilities.has(capability),
        open: async () => completeLog(await open()),
        follow(after, followed = log) {
          const recorder = new TailRecorder(followed, after);
          recorders.push(recorder);
          return recorder;
        },
        // The last error of the check is the reason of the failure, which a deadline alone would hide.
        async eventually(check) {
          for (;;) {
            try {
              return await check();
            } catch (error) {
              if (signal.aborted) throw error;
            }
            await pause(5);
          }
        },
      }),
    );
    for (const { errors } of recorders) if (errors.length > 0) throw errors[0];
  } finally {
    // A test that was given up may still wait: the logs that it has opened are closed nevertheless.
    await within(deadline, () => closeAll(logs));
    await storage.remove?.();
  }
}

// One after the other: logs that share a storage may take turns in closing it.
async function closeAll(logs: readonly Log[]): Promise<void> {
  for (const log of logs) await log.close();
}

/** Collects the entries that a tail delivers. */
export class TailRecorder {
  readonly entries: LogEntry[] = [];
  /** As they were delivered: scenarios about epochs look at each. */
  readonly batches: TailBatch[] = [];
  /** The errors that the tail reported. A test that expects some removes them. */
  readonly errors: unknown[] = [];
  readonly close: () => void;
  /** Called with each batch, after it was collected. */
  onBatch: (batch: TailBatch) => void = () => {};
  /** Ends the wait of `count()`. A scenario waits for one recorder at a time. */
  #wake: () => void = () => {};

  constructor(log: Log, after: Position) {
    // `onBatch` comes last and may throw: the batch is recorded whatever the handler under test does.
    const tail = log.tail(
      after,
      (batch) => {
        this.batches.push(batch);
        this.entries.push(...batch.entries);
        this.#wake();
        this.onBatch(batch);
      },
      (error) => this.errors.push(error),
    );
    this.close = () => tail.close();
  }

  get offsets(): number[] {
    return this.entries.map(({ offset }) => offset);
  }

  /**
   * Resolves when this many entries have been delivered. The deadline of the test ends a wait for entries that never
   * come.
   */
  async count(entries: number): Promise<void> {
    while (this.entries.length < entries) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** For what has no event: that nothing arrives, or that a store has had its time to fail. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Fails when the work is not done in time. The signal comes a little earlier, so that a check can fail with its reason. */
async function within(milliseconds: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const warning = new AbortController();
  const timers: ReturnType<typeof setTimeout>[] = [];
  const late = new Promise<never>((_, reject) => {
    timers.push(setTimeout(() => warning.abort(), milliseconds * 0.8));
    timers.push(setTimeout(() => reject(new Error(`Not done within ${milliseconds} ms`)), milliseconds));
  });
  try {
    await Promise.race([work(warning.signal), late]);
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}
