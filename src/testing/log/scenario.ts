import { type CompleteLog, completeLog } from "../../log/complete.ts";
import type { Log, LogEntry, Position, Retention, TailBatch } from "../../log/log.ts";

/** @internal The options that every test of a log needs. */
export interface LogSuiteSetting {
  /** The `test` of Vitest, of `node:test`, of Bun, or of any other framework of that form. */
  test: (name: string, run: () => Promise<void>) => unknown;
  /** Makes a new, empty storage for logs that keep what `retention` says. */
  storage: (retention: Retention) => LogStorage | Promise<LogStorage>;
  /** How long one test may take, in milliseconds. @default 10_000 */
  deadline?: number;
}

/** The storage that logs write to in one test. */
export interface LogStorage {
  /** Opens a log on the storage; called several times if the suite is `shared` or `persistent`. */
  open(): Log | Promise<Log>;
  /** Takes so many of the newest entries away, as a failover to a copy that lags does. Logs go on on what is left. */
  lose?(count: number): unknown;
  /** Called when every log on it is closed. */
  remove?(): unknown;
}

/** Defines one test of the suite: a name, what the log is to keep, and what is to hold. */
export type TestScenario = (name: string, retention: Retention, body: (context: TestContext) => Promise<void>) => void;

/** What a test works with. Whatever it opens is closed behind it. */
export interface TestContext {
  /** With the methods that it lacks composed of those that it has. */
  readonly log: CompleteLog;
  /** Opens the same storage once more. */
  open(): Promise<CompleteLog>;
  /** Follows a log, this one unless another is given. */
  follow(after: Position, log?: Log): TailRecorder;
  /** Takes so many of the newest entries away. */
  lose(count: number): Promise<void>;
  /** Tries until the check holds: what a log does in the background, or in another process, takes its time. */
  eventually(check: () => Promise<void>): Promise<void>;
}

export function createScenario(setting: LogSuiteSetting): TestScenario {
  return (name, retention, body) => {
    setting.test(name, () => run(setting, retention, body));
  };
}

async function run(
  { storage: makeStorage, deadline = 10_000 }: LogSuiteSetting,
  retention: Retention,
  body: (context: TestContext) => Promise<void>,
): Promise<void> {
  const storage = await makeStorage(retention);
  const logs: Log[] = [];
  const recorders: TailRecorder[] = [];
  const open = async () => {
    const log = completeLog(await storage.open());
    logs.push(log);
    return log;
  };
  try {
    const log = await open();
    await within(deadline, (signal) =>
      body({
        log,
        open,
        follow(after, followed = log) {
          const recorder = new TailRecorder(followed, after);
          recorders.push(recorder);
          return recorder;
        },
        async lose(count) {
          if (storage.lose === undefined) throw new Error("The storage of a lossy log has no lose(); add it");
          await storage.lose(count);
        },
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
    // A test that was given up may still wait: what it has opened is closed all the same.
    await within(deadline, () => closeAll(logs));
    await storage.remove?.();
  }
}

async function closeAll(logs: readonly Log[]): Promise<void> {
  for (const log of logs) await log.close();
}

/** Collects what a tail hands over. */
export class TailRecorder {
  readonly entries: LogEntry[] = [];
  readonly batches: TailBatch[] = [];
  /** What the tail reported; a test that expects some takes them out. */
  readonly errors: unknown[] = [];
  readonly close: () => void;
  /** Called with each batch, after it was collected. */
  onBatch: (batch: TailBatch) => void = () => {};
  #wake: () => void = () => {};

  constructor(log: Log, after: Position) {
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

  /** Resolves when so many entries have come. */
  async count(entries: number): Promise<void> {
    while (this.entries.length < entries) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Fails when the work is not done in time. Whatever waits for the signal gives up a little earlier, with its own reason. */
async function within(milliseconds: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const patience = new AbortController();
  const timers: ReturnType<typeof setTimeout>[] = [];
  const late = new Promise<never>((_, reject) => {
    timers.push(setTimeout(() => patience.abort(), milliseconds * 0.8));
    timers.push(setTimeout(() => reject(new Error(`Not done within ${milliseconds} ms`)), milliseconds));
  });
  try {
    await Promise.race([work(patience.signal), late]);
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}
