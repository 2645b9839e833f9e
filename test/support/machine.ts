import { type CompleteLog, completeLog } from "../../src/log/complete.ts";
import type {
  Appended,
  ChannelSelection,
  Head,
  Located,
  LocateQuestion,
  Log,
  LogEntry,
  NewEntry,
  Page,
  Position,
  ReadOptions,
  Tail,
  TailBatch,
  ValueOptions,
  ValuePage,
} from "../../src/log/log.ts";

/** A log as one of several machines sees it: closing it leaves the log to the others, and the network may fail. */
export class Machine implements CompleteLog {
  readonly capabilities: CompleteLog["capabilities"];
  /** Appends that were accepted, in order. */
  readonly appended: NewEntry[] = [];
  /** The fault that every call meets; `null` for none. */
  failure: Error | null = null;
  /** Called before each append and each batch of a tail: for machines that are slow. */
  delay: () => Promise<void> | undefined = () => undefined;
  /** True for an append that is accepted while its answer gets lost. */
  loses: () => boolean = () => false;
  #log: CompleteLog;
  #frozen: { promise: Promise<void>; resolve(): void } | null = null;
  readonly #tails = new Set<{ tail: Tail; onEntries: (batch: TailBatch) => void }>();

  /** Where the log has it: a hub looks for it before it calls it. */
  readonly clear?: NonNullable<CompleteLog["clear"]>;

  constructor(log: Log) {
    this.#log = completeLog(log);
    this.capabilities = this.#log.capabilities;
    if (this.#log.clear === undefined) return;
    this.clear = async (channel) => {
      this.#assertAlive();
      return (this.#log as Required<CompleteLog>).clear(channel);
    };
  }

  /** The power is off: nothing of it arrives any longer, and it receives nothing. */
  die(): void {
    this.failure = new Error("This machine is dead");
    for (const { tail } of this.#tails) tail.close();
  }

  /** Like SIGSTOP: its actions, and everything sent to it, wait until the returned function is called. */
  freeze(): () => void {
    const frozen = Promise.withResolvers<void>();
    this.#frozen = frozen;
    return () => {
      this.#frozen = null;
      frozen.resolve();
    };
  }

  /** The log is lost, another one is in its place. */
  replace(log: Log): void {
    this.#log = completeLog(log);
    for (const followed of this.#tails) {
      followed.tail.close();
      followed.tail = this.#follow({ epoch: "", offset: 0, witness: 0 }, followed.onEntries);
    }
  }

  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    await this.#frozen?.promise;
    await this.delay();
    this.#assertAlive();
    const appended = await this.#log.append(entries);
    this.appended.push(...entries);
    if (this.loses()) throw new Error("The connection was lost before the answer came");
    return appended;
  }

  async head(): Promise<Head> {
    this.#assertAlive();
    return this.#log.head();
  }

  async witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    this.#assertAlive();
    return this.#log.witnesses(offsets);
  }

  async read(after: number, options: ReadOptions): Promise<Page> {
    this.#assertAlive();
    return this.#log.read(after, options);
  }

  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    this.#assertAlive();
    return this.#log.last(count, selection);
  }

  async latestByKey(selection: ChannelSelection, options: ValueOptions): Promise<ValuePage> {
    await this.#frozen?.promise;
    this.#assertAlive();
    return this.#log.latestByKey(selection, options);
  }

  async locate(questions: readonly LocateQuestion[]): Promise<Located> {
    this.#assertAlive();
    return this.#log.locate(questions);
  }

  tail(after: Position, onEntries: (batch: TailBatch) => void): Tail {
    const followed = { tail: this.#follow(after, onEntries), onEntries };
    this.#tails.add(followed);
    return {
      close: () => {
        followed.tail.close();
        this.#tails.delete(followed);
      },
    };
  }

  async close(): Promise<void> {
    for (const { tail } of this.#tails) tail.close();
    this.#tails.clear();
  }

  /** Batches keep their order, whatever each of them has to wait for. */
  #follow(after: Position, onEntries: (batch: TailBatch) => void): Tail {
    let line: Promise<void> | null = null;
    let closed = false;
    const tail = this.#log.tail(
      after,
      (batch) => {
        const wait = this.#frozen?.promise ?? this.delay();
        if (line === null && wait === undefined) return onEntries(batch);
        const turn: Promise<void> = Promise.all([line, wait]).then(() => {
          if (line === turn) line = null;
          if (!closed) onEntries(batch);
        });
        line = turn;
      },
      (error) => {
        throw error;
      },
    );
    return {
      close: () => {
        closed = true;
        tail.close();
      },
    };
  }

  #assertAlive(): void {
    if (this.failure !== null) throw this.failure;
  }
}
