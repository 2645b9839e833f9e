// Waits for new entries on a connection of its own: one for all tails of this process.
import { unrefTimeout } from "../../base/clock.ts";
import type { LogEntry } from "../../log/log.ts";
import { entriesOf, type StreamBlock } from "./blocks.ts";
import type { Connect, Connection } from "./client.ts";
import { explain } from "./errors.ts";

/** How long one `XREAD` waits. The position from which it reads is renewed after that. */
const blockMs = 1_000;
/** A reply that is so much later than that does not come any longer: the connection is given up. */
const replyGraceMs = 2_000;
/** How long opening the connection may take. */
const connectTimeoutMs = 3_000;
/** Blocks of entries in one reply. A burst is read in several. */
const readBlocks = 64;
/** How long to wait after a failure. */
const retryMs = 250;

/** The part of a log that a {@link StreamTail} uses. */
export interface StreamTailContext {
  /** Opens the connection. */
  readonly connect: Connect;
  /** The key of the stream. */
  readonly key: string;
  /** New entries of the stream, oldest first. */
  onEntries(entries: readonly LogEntry[]): void;
  /** A connection was opened: something may have been missed before. */
  onConnect(): void;
  /** Called once for each outage. */
  onError(error: unknown): void;
}

/**
 * Reads with `XREAD` from the newest id that is known, never from `$`: between two calls with `$`, entries would be skipped.
 *
 * The entries are a suggestion: each tail takes them only if they continue its own, and asks the log otherwise. So
 * this may skip entries, after a failover for example, when other entries have lower ids than those that were lost.
 */
export class StreamTail {
  readonly #context: StreamTailContext;
  #connection: Connection | null = null;
  /** Set before the first `XREAD`, by the page that the first tail reads. */
  #position = "0-0";
  /** Counts starts and stops: a loop of an earlier start ends. */
  #run = 0;
  #isRunning = false;

  constructor(context: StreamTailContext) {
    this.#context = context;
  }

  /** Begins to wait, on a new connection. Does nothing when it does so already. */
  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#loop(++this.#run);
  }

  /** Closes the connection. */
  stop(): void {
    this.#isRunning = false;
    this.#run++;
    this.#connection?.close();
    this.#connection = null;
  }

  /** The id after which it reads. */
  get position(): string {
    return this.#position;
  }

  /** The newest entry of the log, as the primary has told: the next `XREAD` waits for those after it. */
  moveTo(offset: number, witness: number): void {
    this.#position = `${offset}-${witness}`;
  }

  /** Until it is stopped: opens a connection, reads on it, and opens another one when it fails. */
  async #loop(run: number): Promise<void> {
    let isFailing = false;
    while (run === this.#run) {
      try {
        const connection = await this.#open(run);
        if (connection === null) return;
        isFailing = false;
        while (run === this.#run) await this.#read(connection, run);
      } catch (error) {
        if (run !== this.#run) return;
        this.#connection?.close();
        this.#connection = null;
        // Once for each outage.
        if (!isFailing) this.#context.onError(explain(error, false));
        isFailing = true;
        await new Promise<void>((resolve) => unrefTimeout(resolve, retryMs));
      }
    }
  }

  /** `null` when it was stopped while the connection was being opened. */
  async #open(run: number): Promise<Connection | null> {
    const opening = this.#context.connect();
    const connection = await within(opening, connectTimeoutMs, () => {
      // Closed when it has come about after all.
      opening.then((late) => late.close()).catch(() => {});
    });
    if (run !== this.#run) {
      connection.close();
      return null;
    }
    this.#connection = connection;
    this.#context.onConnect();
    return connection;
  }

  /** One `XREAD`. It returns as soon as there is an entry, or with nothing at the end of its time. */
  async #read(connection: Connection, run: number): Promise<void> {
    const { key } = this.#context;
    const position = this.#position;
    const args = ["XREAD", "COUNT", `${readBlocks}`, "BLOCK", `${blockMs}`, "STREAMS", key, position];
    const reply = await within(connection.call(key, args), blockMs + replyGraceMs, () => {});
    const blocks = blocksOf(reply);
    if (run !== this.#run || blocks.length === 0) return;
    const [id] = blocks.at(-1) as StreamBlock;
    // Unless the log has told of another position in the meantime.
    if (this.#position === position) this.#position = id;
    this.#context.onEntries(blocks.flatMap(entriesOf));
  }
}

/** A list of streams with their blocks, or in RESP 3 an object or a `Map` of them; `null` when the time is over. */
function blocksOf(reply: unknown): readonly StreamBlock[] {
  if (reply === null || reply === undefined) return [];
  if (Array.isArray(reply)) return (reply[0] as [string, StreamBlock[]] | undefined)?.[1] ?? [];
  const [blocks] = reply instanceof Map ? reply.values() : Object.values(reply);
  return (blocks as StreamBlock[] | undefined) ?? [];
}

/** A client that lost its server may neither resolve nor reject. */
function within<T>(work: Promise<T>, milliseconds: number, giveUp: () => void): Promise<T> {
  // Not `Promise.race`: every event waits for each step between the socket and its reader.
  return new Promise((resolve, reject) => {
    const timer = unrefTimeout(() => {
      giveUp();
      reject(new Error(`No reply within ${milliseconds} ms`));
    }, milliseconds);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
