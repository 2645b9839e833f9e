// The engine of runs: who produces the run of a chat, in whatever process, and who watches it.
import { withDeadline } from "../base/deadline.ts";
import { SourcecastError } from "../base/errors.ts";
import type { ReadEvent } from "../hub/reader/read-event.ts";
import { parseCursor } from "../wire/cursor.ts";
import { Chat, type ElectedRun, type Election, type WonElection } from "./chat.ts";
import { eraseChat } from "./erase-chat.ts";
import { type WrittenEvent, written } from "./gather.ts";
import { LeaseWatch } from "./lease-watch.ts";
import type { ChatKind } from "./names.ts";
import type { ResolvedRunsOptions, RunsOptions } from "./options.ts";
import type { FinishedRun, RunProducer } from "./producer.ts";
import { Run } from "./run.ts";
import { textOfRun } from "./run-text.ts";
import { RunWriter } from "./run-writer.ts";

/** A request for a run. */
export interface Starting {
  readonly chatId: string;
  readonly chat: Chat;
  /** Called once if this request is elected. */
  readonly produce: RunProducer;
  readonly requestId: string | null;
  /** Takes the place of a run that is under way. */
  readonly replace: boolean;
  readonly onFinish: RunsOptions["onFinish"];
}

/** The runs of one process, and its watch over those of others. */
export class RunEngine {
  readonly #options: ResolvedRunsOptions;
  readonly #kind: ChatKind;
  readonly #watch: LeaseWatch;
  /** The runs of this process. */
  readonly #own = new Map<string, Run>();
  /** The elections of this process that are under way: each may become a run. */
  readonly #starting = new Set<Promise<unknown>>();
  #isOpen = true;

  constructor(options: ResolvedRunsOptions, kind: ChatKind) {
    this.#kind = kind;
    this.#options = options;
    this.#watch = new LeaseWatch({
      hub: options.internals,
      endsUnstarted: true,
      declare: (outcome, error = lostError()) => this.declare(outcome, error),
      onFinish: (chatId, run, outcome) => this.#onFinish(chatId, run, outcome),
      onError: options.onError,
    });
    options.internals.onClose(() => this.close());
  }

  /** The channels of a chat. */
  chat(chatId: string): Promise<Chat> {
    if (!this.#isOpen) throw closedError();
    return Chat.open(this.#options.internals, this.#kind, chatId);
  }

  /** The events by which readers learn of an outcome: none for the whole text. */
  declare(outcome: FinishedRun["outcome"], error: unknown): WrittenEvent[] {
    const { protocol, errorText } = this.#options;
    if (outcome === "done") return [];
    return (outcome === "stopped" ? protocol.stopped() : protocol.failed(errorText(error))).map(written);
  }

  /** Elects a run, and produces it if this request is elected. */
  start(starting: Starting): Promise<Election> {
    const election = this.#start(starting);
    this.#starting.add(election);
    const forget = (): void => void this.#starting.delete(election);
    election.then(forget, forget);
    return election;
  }

  async #start({ chatId, chat, produce, requestId, replace, onFinish }: Starting): Promise<Election> {
    const record = { run: crypto.randomUUID(), request: requestId, lease: this.#options.leaseMs };
    const election = await chat.elect(record, replace);
    if (election.won) {
      const { isStopped, replaced } = election;
      // The process may have been closed during the election: then the run ends with that error.
      const open = this.#isOpen ? produce : () => Promise.reject(closedError());
      this.#produce(chatId, chat, election, isStopped ? null : open, onFinish);
      if (replaced !== null) {
        // The new run is elected, whatever happens: a log that fails now leaves the end of the old one to the watch.
        await this.#replace(chat, replaced).catch((error) => {
          this.#options.onError(error);
          this.watch(chatId, chat, replaced);
        });
      }
    } else this.watch(chatId, chat, election.run);
    return election;
  }

  /** Stops a run, wherever it is produced. */
  stop(chatId: string, chat: Chat, run: ElectedRun): void {
    this.#own.get(run.run)?.stop();
    this.watch(chatId, chat, run);
  }

  /** Resolves when a run of this process has ended; `undefined` for one of another. */
  finished({ run }: ElectedRun): Promise<unknown> | undefined {
    return this.#own.get(run)?.finished;
  }

  /** Ends a run of another process when that has died. */
  watch(chatId: string, chat: Chat, run: ElectedRun): void {
    if (!this.#own.has(run.run)) this.#watch.watch(chatId, chat, run);
  }

  /** Stops the run under way, and erases what the log has of the chat. */
  delete(chat: Chat): Promise<void> {
    return eraseChat(this.#options.internals, chat, {
      stopped: this.declare("stopped", undefined),
      // No `onFinish` is called for it: nothing of the chat is to be stored.
      giveUp: (run) => this.#own.get(run)?.giveUp(replacedError()),
      finished: async (run) => this.#own.get(run)?.finished,
    });
  }

  /** Ends the runs of this process with an error, those included that are being started. Resolves when they have ended. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#watch.close();
    for (const run of this.#own.values()) run.close(closedError());
    await Promise.allSettled(this.#starting);
    await Promise.all(Array.from(this.#own.values(), ({ finished }) => finished));
  }

  #produce(
    chatId: string,
    chat: Chat,
    { run: elected, sign }: WonElection,
    produce: RunProducer | null,
    onFinish: RunsOptions["onFinish"],
  ): void {
    const { internals, leaseMs, onError } = this.#options;
    const position = parseCursor(elected.cursor);
    if (position === null) throw new TypeError("A run has no position");
    const writer = new RunWriter(internals, elected.channel, { position }, leaseMs);
    const declare = this.declare.bind(this);
    const settings = { ...this.#options, onFinish, chatId, chat, elected, sign, writer, declare };
    const run = new Run(settings, produce);
    this.#own.set(elected.run, run);
    const unfollow = this.#follow(chat, elected, run);
    void run.finished.then((hasEnded) => {
      unfollow();
      this.#own.delete(elected.run);
      if (!hasEnded && this.#isOpen) this.#watch.watch(chatId, chat, elected);
    }, onError);
  }

  /** Acts on the index of the chat, into which other processes write: a stop, or another run. */
  #follow(chat: Chat, elected: ElectedRun, run: Run): () => void {
    const index = this.#options.internals.channel(chat.channels.index);
    const onEntry = async (event: ReadEvent): Promise<void> => {
      if (event.type === "stop" && event.json<{ run: string | null }>().run === elected.run) run.stop();
      else if (event.type === "run" && event.json<{ run: string }>().run !== elected.run) run.giveUp(replacedError());
      else if (event.type === "delete") run.giveUp(replacedError());
      // Entries that were missed are part of the state.
      else if (event.type.startsWith("sse:")) await this.#catchUp(chat, elected, run);
    };
    return index.subscribe(onEntry, { after: elected.cursor });
  }

  /** Acts on the state of the chat after entries of its index were missed. */
  async #catchUp(chat: Chat, elected: ElectedRun, run: Run): Promise<void> {
    const state = await chat.read();
    if (state.run?.run !== elected.run) run.giveUp(replacedError());
    else if (state.stop?.run === elected.run) run.stop();
  }

  /** Ends a run whose place another one has taken. An append to it by its producer conflicts after that. */
  async #replace(chat: Chat, run: ElectedRun): Promise<void> {
    this.#own.get(run.run)?.giveUp(replacedError());
    await chat.end(run, this.declare("stopped", undefined));
  }

  /** Calls `onFinish` for a run that another process produced. */
  async #onFinish(chatId: string, run: ElectedRun, outcome: FinishedRun["outcome"]): Promise<void> {
    const { onFinish, finishMs, internals, protocol } = this.#options;
    if (onFinish === undefined) return;
    const text = await textOfRun(internals.log, run, protocol);
    const finished = onFinish({ chatId, runId: run.run, text, outcome });
    await withDeadline(finished, finishMs, "onFinish()", "finishTimeout");
  }
}

/** The error that a reader of a lost run is told about. */
export function lostError(): SourcecastError {
  return new SourcecastError("ERR_SSE_TIMEOUT", "The process that produced the run has shown no sign of life");
}

/** For a producer that has to stop: its run is not the chat's any more. */
function replacedError(): SourcecastError {
  return new SourcecastError("ERR_SSE_CONFLICT", "Another run has taken the place of this one");
}

/** For calls after `close()`, and for the readers of a run that it ends. */
function closedError(): SourcecastError {
  return new SourcecastError("ERR_SSE_CLOSED", "The runs were used after close(); make new ones");
}
