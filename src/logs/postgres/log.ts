// The log over one database: takes calls, and puts the parts of this folder together.
import { LogError } from "../../base/errors.ts";
import { type AppendCall, type AppendOutcome, AppendQueue } from "../../log/append-queue.ts";
import type { CompleteLog } from "../../log/complete.ts";
import { closedError } from "../../log/errors.ts";
import type {
  Appended,
  ChannelSelection,
  Head,
  Located,
  LocateQuestion,
  LogCapability,
  LogEntry,
  NewEntry,
  Page,
  Position,
  ReadOptions,
  Tail,
  TailBatch,
  TransactionLog,
  ValueOptions,
  ValuePage,
} from "../../log/log.ts";
import { TailFanout } from "../../log/tail-fanout.ts";
import { Attempts } from "./attempts.ts";
import { Batch, callParameters, keyError } from "./batch.ts";
import { clearChannel } from "./clear.ts";
import { enlist } from "./clients.ts";
import { batchCasts } from "./columns.ts";
import { explain, isOtherSchema, isPassing } from "./failures.ts";
import { Membership } from "./membership.ts";
import { oneEntryOf } from "./one-entry.ts";
import type { PostgresLogParts } from "./parts.ts";
import { Reader } from "./reader.ts";
import { RetentionWorker, windowOf } from "./retention.ts";
import { Sequencer } from "./sequencer.ts";
import { type Statement, Statements } from "./statement.ts";
import { Watch } from "./watch.ts";

/** Offsets and witnesses live in the database alone. Processes share nothing else, and any of them may end at any time. */
export class PostgresLog implements CompleteLog, TransactionLog {
  readonly capabilities: ReadonlySet<LogCapability> = new Set<LogCapability>([
    "witnesses",
    "last",
    "latestByKey",
    "locate",
    "atomicBatch",
    "conflation",
    "transaction",
    "clear",
  ]);
  readonly #parts: PostgresLogParts;
  /** Entered before each statement, which costs nothing after the first. */
  readonly #membership: Membership;
  /** Of the calls of the queue, which may be sent several times. */
  readonly #attempts = new Attempts();
  readonly #statements: Statements;
  readonly #reader: Reader;
  /** Sends the calls of a tick together, one statement at a time: a second one would wait for the lock of the first. */
  readonly #queue: AppendQueue;
  /** The tails of this process share one read. */
  readonly #tails: TailFanout;
  readonly #watch: Watch;
  /** Every process trims. The first one to come takes the work, and the others find nothing to do. */
  readonly #retention: RetentionWorker;
  /** Moves what transactions have published, also for other processes. */
  readonly #sequencer: Sequencer;
  /** All calls of `close()` wait for the same end. */
  #closed: Promise<void> | null = null;

  constructor(parts: PostgresLogParts) {
    this.#parts = parts;
    this.#statements = new Statements(parts.names);
    const { limits, names, pollMs, timeoutMs } = parts;
    this.#membership = new Membership(parts.connection, this.#statements, limits, {
      onEntered: () => this.#retention.touch(),
      onError: (error) => this.#tails.report(this.#explain(error)),
    });
    this.#reader = new Reader((name, request) => this.#ask(name, request));
    this.#queue = new AppendQueue({
      store: (calls) => this.#store(calls),
      // The server recognizes a call that it has stored, so repeating it after a lost answer is safe.
      canRetry: isPassing,
      deadline: timeoutMs,
    });
    this.#tails = new TailFanout(
      { read: (after) => this.#next(after) },
      // The watch decides when tails read: it knows whether notifications arrive.
      { poll: false, onTail: () => this.#watch.start(), onIdle: () => this.#watch.stop() },
    );
    // Clients quote the channel on their own, while the name in the schema is quoted for a string of SQL.
    this.#watch = new Watch(parts.listenOn, names.notifyChannel.replaceAll("''", "'"), pollMs, {
      onChange: () => this.#tails.wake(),
      own: this.#membership.id,
      notify: () => this.#run({ text: `SELECT pg_notify('${names.notifyChannel}', '')::text AS reply` }),
    });
    this.#retention = new RetentionWorker(
      async (request) => JSON.parse(await this.#run(this.#statements.call("trim"), JSON.stringify(request))),
      limits,
    );
    this.#sequencer = new Sequencer(
      async () =>
        Number(await this.#run(this.#statements.call("sequence"), JSON.stringify({ window: windowOf(limits) }))),
      () => {
        this.#retention.touch();
        this.#tails.wake();
      },
      (error) => this.#tails.report(this.#explain(error)),
    );
  }

  /** The queue, not this method, rejects after `close()`: it settles the calls that came before. */
  append(entries: readonly NewEntry[]): Promise<Appended[]> {
    return this.#queue.append(entries);
  }

  /** Only the transaction itself waits for this: it writes one row, and takes no lock that anything else waits for. */
  async appendIn(transaction: unknown, entries: readonly NewEntry[]): Promise<void> {
    this.#assertOpen();
    // Before anything is sent: on another client than that of a transaction, the event would be published at once.
    const query = await enlist(transaction);
    const rejected = entries.map(keyError).find((error) => error !== undefined);
    if (rejected !== undefined) throw rejected;
    if (entries.length === 0) return;
    await this.#membership.enterIn(query);
    try {
      await query(this.#statements.call("enqueue", batchCasts).text, ...callParameters(entries));
    } catch (error) {
      throw this.#explain(error);
    }
    // Nothing announces the commit, so this process looks for it.
    this.#sequencer.onPublished();
  }

  async head(): Promise<Head> {
    this.#assertOpen();
    return this.#reader.head();
  }

  // Questions are asked on the pool, several at a time, and never wait for the work in the background.
  async witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    this.#assertOpen();
    return this.#reader.witnesses(offsets);
  }

  /** `maxBytes` holds before anything is read: weights are columns of their own. */
  async read(after: number, options: ReadOptions): Promise<Page> {
    this.#assertOpen();
    return this.#reader.read(after, options);
  }

  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    this.#assertOpen();
    return this.#reader.last(count, selection);
  }

  /** From a table of its own, which has the newest entry of each key, whether or not it was trimmed. */
  async latestByKey(selection: ChannelSelection, options: ValueOptions): Promise<ValuePage> {
    this.#assertOpen();
    return this.#reader.values(selection, options);
  }

  /** One round trip, however many clients ask. */
  async locate(questions: readonly LocateQuestion[]): Promise<Located> {
    this.#assertOpen();
    return this.#reader.locate(questions);
  }

  /** As with an append, the outcome may be unknown. To clear the channel once more does no harm. */
  async clear(channel: string): Promise<Appended | null> {
    this.#assertOpen();
    try {
      await this.#membership.enter();
      return await clearChannel(channel, (request) =>
        this.#parts.connection.query(this.#statements.call("clear"), request),
      );
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** The watch costs a connection and a timer, so it runs only while there are tails. */
  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    return this.#tails.add(after, onEntries, onError);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** The queue comes first: calls made before `close()` are settled. The connection comes last. */
  async #close(): Promise<void> {
    await this.#queue.close();
    this.#tails.close();
    this.#watch.stop();
    this.#retention.close();
    this.#sequencer.close();
    await this.#membership.leave();
    const { connection, listenOn } = this.#parts;
    connection.close();
    if (listenOn !== connection) listenOn?.close();
  }

  /** One statement for all calls. Nothing is sent when none of them can be stored. */
  async #store(calls: readonly AppendCall[]): Promise<readonly AppendOutcome[]> {
    const request = oneEntryOf(calls, this.#attempts) ?? new Batch(calls, this.#attempts);
    let answer: unknown = null;
    try {
      if (!this.#membership.hasEntered) await this.#membership.enter();
      if (!request.isEmpty) {
        const { name, casts, parameters } = request.statement(this.#membership.id, windowOf(this.#parts.limits));
        answer = JSON.parse(await this.#parts.connection.query(this.#statements.call(name, casts), ...parameters));
        this.#attempts.onAnswer();
      }
    } catch (error) {
      request.keep();
      return this.#fail(calls, error);
    }
    const { epoch, outcomes, entries } = request.read(answer, this.#tails.size > 0);
    this.#attempts.onOutcome(outcomes.at(-1));
    this.#retention.touch();
    // Before the publishers are told: they continue after the tails.
    this.#tails.offer(epoch, entries);
    return outcomes;
  }

  /** Throws what the queue is to try again, and what may be the fault of one call, so that the queue stores them apart. */
  #fail(calls: readonly AppendCall[], error: unknown): AppendOutcome[] {
    // A schema that was dropped is created again by the next attempt, in a new epoch.
    if (isOtherSchema(error)) this.#membership.expire();
    const explained = this.#explain(error);
    if (explained instanceof LogError && explained.stored === "unknown") this.#attempts.onNoAnswer();
    // Classes 22 and 54: a value that the server cannot store, or that is over one of its limits.
    const isOfOne = /^(22|54)/.test(String((error as { code?: unknown }).code));
    if (isPassing(error) || isOfOne) throw explained;
    // A failure that concerns every call, and that another attempt would meet again.
    return calls.map(() => explained);
  }

  /** A page for a tail. The watch learns from it whether notifications arrive, and the sequencer that there is work. */
  async #next(after: number) {
    const page = await this.#answer(() => this.#reader.next(after));
    this.#watch.onRead(page.entries.length > 0);
    const { epoch, top, witness } = page.head;
    this.#attempts.onPosition({ epoch, offset: top, witness });
    if (page.outbox) this.#sequencer.onFound();
    return page;
  }

  /** A question of the contract, on the pool; the reads of tails are work in the background. */
  async #ask(name: string, request?: unknown): Promise<unknown> {
    return this.#answer(async () => {
      await this.#membership.enter();
      // Tails must not take connections of the pool: there may be as many waiting publishers as it has connections.
      const how = name === "next" ? "background" : "query";
      const [casts, parameters] = request === undefined ? [[], []] : [undefined, [JSON.stringify(request)]];
      const statement = this.#statements.call(name, casts);
      return JSON.parse(await this.#parts.connection[how](statement, ...parameters));
    });
  }

  /** The failure of a question stores nothing, whatever became of the statement. */
  async #answer<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isOtherSchema(error)) this.#membership.expire();
      const explained = this.#explain(error);
      // Nothing was to be stored.
      if (!(explained instanceof LogError) || explained.stored === false) throw explained;
      throw new LogError(explained.message, false, { cause: explained.cause });
    }
  }

  /** A statement in the background. */
  async #run(statement: Statement, ...parameters: string[]): Promise<string> {
    await this.#membership.enter();
    return this.#parts.connection.background(statement, ...parameters);
  }

  /** The error as the contract has it. */
  #explain(error: unknown): Error {
    return explain(error, this.#parts.names.name);
  }

  #assertOpen(): void {
    if (this.#closed !== null) throw closedError();
  }
}
