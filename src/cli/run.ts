// One run of the command: follows a stream, prints its events, and ends with an exit code.
import { now, WakeTimer } from "../base/clock.ts";
import type { StreamClosed, StreamLoss, TextEvent } from "../client/events.ts";
import { type Subscription, subscribe } from "../client/subscribe.ts";
import type { Settings } from "./arguments.ts";
import { exitCodes } from "./exit-codes.ts";
import { type Format, jsonLines, textLines } from "./format.ts";
import { Output } from "./output.ts";
import type { PositionFile } from "./position-file.ts";
import type { Reports } from "./reports.ts";

/** The part of `process` that a run uses. */
export interface Terminal {
  /** For events. */
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** For reports and errors. */
  readonly stderr: NodeJS.WritableStream;
  /** Node ends a process that has no listener for the signal. */
  once(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  off(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
}

/**
 * Follows one stream until it ends, or something here ends it: a signal, the timeout, the limit, the reader of the pipe. The
 * first reason decides the exit code, since closing the stream causes others.
 */
export class Run {
  readonly #settings: Settings;
  readonly #terminal: Terminal;
  readonly #reports: Reports;
  readonly #file: PositionFile | undefined;
  readonly #format: Format;
  readonly #output: Output;
  readonly #stream: Subscription;
  #exitCode: number | undefined;
  /** Losses, each with the number of events before it. */
  readonly #losses: { readonly after: number; readonly loss: StreamLoss }[] = [];
  /** Events that the client has received, those that wait for the loop included. */
  #received = 0;
  /** Events taken from the stream, printed or not. */
  #taken = 0;
  /** Events that count for `--count`. */
  #printed = 0;
  /** The position after the events that were taken, once they have left this process. */
  #position: string;

  /**
   * Connects in the next microtask.
   *
   * @param file The file of `--resume`, whose position comes before that of `--after`: the first run begins with the latter.
   */
  constructor(settings: Settings, terminal: Terminal, reports: Reports, file: PositionFile | undefined) {
    const { stdout } = terminal;
    this.#settings = settings;
    this.#terminal = terminal;
    this.#reports = reports;
    this.#file = file;
    this.#format = (settings.json ?? stdout.isTTY !== true) ? jsonLines : textLines(stdout);
    this.#output = new Output(stdout, (error) => {
      if (error !== undefined) reports.error(`The output failed: ${error.message}`);
      this.#end(error === undefined ? exitCodes.done : exitCodes.failed);
    });
    this.#position = file?.position || settings.after;
    this.#stream = open(settings, this.#position, reports);
  }

  /**
   * Runs until the end. It resolves when everything that was printed has left this process, and leaves no timer, listener or
   * connection, so that the process can end on its own.
   *
   * @returns The exit code.
   */
  async finish(): Promise<number> {
    const { timeout } = this.#settings;
    const timer = new WakeTimer(() => this.#end(exitCodes.timeout), true);
    if (timeout !== undefined) timer.set(now() + timeout);
    // Once each: a second signal finds no listener, and ends the process at once.
    this.#terminal.once("SIGINT", this.#onInterrupt);
    this.#terminal.once("SIGTERM", this.#onTerminate);
    try {
      await this.#print();
    } finally {
      timer.stop();
      this.#stream.close();
      this.#terminal.off("SIGINT", this.#onInterrupt);
      this.#terminal.off("SIGTERM", this.#onTerminate);
    }
    // Checkpoints have moved the position without an event.
    if (this.#received === this.#taken) await this.#write("", this.#stream.cursor);
    const closed = await this.#stream.closed;
    if (this.#exitCode === undefined) this.#reports.onClosed(closed);
    this.#reportPosition();
    return this.#exitCode ?? this.#codeOf(closed);
  }

  /**
   * Prints batches: one write for all events of a chunk. The next batch is taken when the write is done, so a reader that
   * is slow slows down the server.
   */
  async #print(): Promise<void> {
    // Called after the loop's buffer has taken the event.
    this.#stream.on("*", () => this.#received++);
    this.#stream.onLoss((loss) => this.#onLoss(loss));
    const batches = this.#stream.batches()[Symbol.asyncIterator]();
    while (this.#exitCode === undefined) {
      // The error of a stream that failed is in `closed`, too.
      const batch = await batches.next().catch(() => ({ done: true as const, value: undefined }));
      if (batch.done) return;
      await this.#printBatch(batch.value);
      if (this.#isComplete) this.#end(exitCodes.done);
    }
  }

  /** `--count` is reached. */
  get #isComplete(): boolean {
    return this.#printed >= this.#settings.count;
  }

  /** Stops at the limit of `--count`: a later run continues with the rest of the batch. */
  async #printBatch(events: readonly TextEvent[]): Promise<void> {
    let text = "";
    for (const event of events) {
      text += this.#take(event);
      if (this.#isComplete) return this.#write(text, event.lastEventId);
    }
    return this.#write(text, this.#stream.cursor);
  }

  /** The position moves when the text has left this process, so a crash repeats events, and loses none. */
  async #write(text: string, position: string): Promise<void> {
    if (!(await this.#output.write(text))) return;
    this.#position = position;
    this.#file?.save(position);
  }

  /** The text of an event, and of the losses before the next one. */
  #take(event: TextEvent): string {
    const { types } = this.#settings;
    this.#taken++;
    const isWanted = types.size === 0 || types.has(event.type);
    if (isWanted) this.#printed++;
    let text = isWanted ? this.#format.event(event) : "";
    for (let [next] = this.#losses; next !== undefined && next.after <= this.#taken; [next] = this.#losses) {
      text += this.#format.loss(next.loss);
      this.#losses.shift();
    }
    return text;
  }

  /** A loss is reported at once. It is printed in its place, after the events that wait for the loop. */
  #onLoss(loss: StreamLoss): void {
    this.#reports.onLoss(loss);
    if (this.#received === this.#taken) void this.#output.write(this.#format.loss(loss));
    else this.#losses.push({ after: this.#received, loss });
  }

  /** The loop ends after the events that it has. */
  #end(code: number): void {
    this.#exitCode ??= code;
    this.#stream.close();
  }

  readonly #onInterrupt = (): void => this.#end(exitCodes.SIGINT);
  readonly #onTerminate = (): void => this.#end(exitCodes.SIGTERM);

  /** The code of a stream that ended on its own. */
  #codeOf({ reason }: StreamClosed): number {
    if (reason === "failed") return exitCodes.failed;
    return Number.isFinite(this.#settings.count) ? exitCodes.incomplete : exitCodes.done;
  }

  /** A request that is not repeated has a stream that ends, and no position to return to. */
  #reportPosition(): void {
    const { retry, after } = this.#settings;
    const position = this.#position;
    if (retry && this.#file === undefined && position !== after) this.#reports.onLeave(position);
  }
}

/** The same client as that of an application. Only `fetch` is wrapped, to see the response. */
function open(settings: Settings, after: string, reports: Reports): Subscription {
  const { url, channels, headers, method, body, idle, retry } = settings;
  const stream = subscribe(url, {
    channels,
    after,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
    method,
    ...(body !== undefined && { body }),
    timeout: { idle },
    ...(!retry && { retry: false as const }),
    async fetch(...args: Parameters<typeof fetch>) {
      const response = await fetch(...args);
      reports.onResponse(response);
      return response;
    },
  });
  stream.onStatus((status) => reports.onStatus(status, Date.now()));
  stream.onComment((text) => reports.onComment(text));
  return stream;
}
