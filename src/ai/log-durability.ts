// The chunks of a run of TanStack AI, as entries of a channel. The producer that appended last is the run's only one.
import { withDeadline } from "../base/deadline.ts";
import { optionError, quote, SourcecastError } from "../base/errors.ts";
import type { HubInternals } from "../hub/internals.ts";
import type { LogEntry } from "../log/log.ts";
import { headPosition, type Position, parseCursor } from "../wire/cursor.ts";
import { serializeJson } from "../wire/encode.ts";
import { Beats } from "./beats.ts";
import { Chat } from "./chat.ts";
import { formatOffset, parseOffset } from "./durable-offset.ts";
import { entriesOf } from "./entries.ts";
import { written } from "./gather.ts";
import { LeaseWatch } from "./lease-watch.ts";
import { agUi } from "./protocols/ag-ui.ts";
import { endMarker, FencedError, isConflict, RunWriter } from "./run-writer.ts";

/** How many milliseconds an append is retried for while the log fails: less than the default lease. */
const retryForMs = 10_000;

/** The chunks of one run, on the log of a hub. */
export class LogDurability<Chunk> {
  readonly #internals: HubInternals;
  readonly #runId: string;
  readonly #offset: string | null;
  readonly #settings: DurabilitySettings;
  readonly #chat: Promise<Chat>;
  /** The writer, once this process produces chunks. */
  #producing: RunWriter | null = null;
  /** Resolves after the newest append. */
  #appended: Promise<unknown> = Promise.resolve();
  #stopBeats: () => void = () => {};
  /** The producer has appended nothing for `idleTimeout`, so its signs of life have stopped. */
  #isIdle = false;
  #closing: Promise<void> | null = null;

  constructor(internals: HubInternals, runId: string, offset: string | null, settings: DurabilitySettings) {
    this.#internals = internals;
    this.#runId = runId;
    this.#offset = offset;
    this.#settings = settings;
    this.#chat = Chat.open(internals, "durable-streams", runId);
  }

  resumeFrom(): string | null {
    return this.#offset;
  }

  async append(chunks: Chunk[]): Promise<string[]> {
    if (!Array.isArray(chunks)) throw optionError("chunks", chunks, "a list of chunks");
    if (chunks.length === 0) return [];
    if (this.#closing !== null) throw fencedError(this.#runId);
    const events = chunks.map((chunk) => ({ type: "message", data: serializeJson(chunk) }));
    const positions = await this.#write((writer) => writer.append(events));
    return positions.map((position) => formatOffset(position, this.#runId));
  }

  /** One call after the other. */
  #write(append: (writer: RunWriter) => Promise<readonly Position[]>): Promise<readonly Position[]> {
    const writing = this.#appended.then(async () => {
      this.#producing ??= await this.#produce();
      const positions = await append(this.#producing);
      if (this.#isIdle) this.#startBeats(await this.#chat, this.#producing, undefined);
      return positions;
    });
    this.#appended = writing.catch((error) => {
      if (error instanceof FencedError) this.#stopBeats();
    });
    return writing.catch((error) => {
      throw error instanceof FencedError ? fencedError(this.#runId, error) : error;
    });
  }

  /** Takes the run over: the next append of another producer is rejected. */
  async #produce(): Promise<RunWriter> {
    const chat = await this.#chat;
    const channel = chat.channels.run(theRun);
    const position = headPosition(await this.#internals.log.head());
    const newest = await this.#newest(chat);
    if (newest?.type === "sse:end") throw new FencedError("The run has ended");
    const start = { position, newest: newest?.offset ?? 0, writerId: `${crypto.randomUUID()}/` };
    const writer = new RunWriter(this.#internals, channel, start, retryForMs);
    this.#startBeats(chat, writer, await chat.beat(theRun, null));
    return writer;
  }

  async *read(offset: string, signal?: AbortSignal): AsyncGenerator<{ offset: string; chunk: Chunk }> {
    const chat = await this.#chat;
    const isFirst = offset === "-1" || (offset === "now" && (await this.#newest(chat)) === undefined);
    const start = offset === "-1" ? { from: "start" } : offset === "now" ? {} : { after: this.#cursorOf(offset) };
    const events = this.#internals.channel(chat.channels.run(theRun)).read({ ...start, signal });
    const watch = this.#watch(chat);
    try {
      let next = events.next();
      if (isFirst) next = this.#first(next);
      for (let result = await next; !result.done; result = await events.next()) {
        const event = result.value;
        if (event.type !== "message") throw lossError(this.#runId, event.type);
        const position = parseCursor(event.cursor) as Position;
        yield { offset: formatOffset(position, this.#runId), chunk: event.json<Chunk>() };
      }
    } finally {
      watch?.close();
      await events.return?.();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().catch((error) => {
      this.#closing = null;
      throw error;
    });
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#appended;
    if (this.#producing !== null) {
      await this.#write((writer) => writer.append([], "stored")).catch(ignoreConflict);
      return this.#stopBeats();
    }
    const chat = await this.#chat;
    const channel = chat.channels.run(theRun);
    const newest = await this.#newest(chat);
    // A run without chunks, too: its readers wait for the first one.
    if (newest?.type !== "sse:end") await this.#internals.log.append([endMarker(channel)]);
  }

  async snapshot(): Promise<{ offset: string; chunk: Chunk }[]> {
    const { log } = this.#internals;
    const channel = (await this.#chat).channels.run(theRun);
    const chunks: { offset: string; chunk: Chunk }[] = [];
    for await (const { epoch, entry } of entriesOf(log, { channels: [channel], prefixes: [] }, 0)) {
      if (entry.type !== "message") continue;
      const { offset, witness } = entry;
      chunks.push({
        offset: formatOffset({ epoch, offset, witness }, this.#runId),
        chunk: JSON.parse(entry.data) as Chunk,
      });
    }
    return chunks;
  }

  /** The newest entry of the run. */
  async #newest(chat: Chat): Promise<LogEntry | undefined> {
    const selection = { channels: [chat.channels.run(theRun)], prefixes: [] };
    return (await this.#internals.log.last(1, selection))[0];
  }

  /** @throws {SourcecastError} for an offset of another run, whose chunks are not those of this one. */
  #cursorOf(offset: string): string {
    const parsed = parseOffset(offset);
    if (parsed?.runId === this.#runId) return parsed.cursor;
    throw lossError(this.#runId, parsed === null ? "invalid offset" : "the offset is of another run");
  }

  /** The first chunk of a run that may never have been started. */
  async #first<T>(next: Promise<T>): Promise<T> {
    const { firstChunkTimeout } = this.#settings;
    return withDeadline(next, firstChunkTimeout, `The first chunk of run ${quote(this.#runId)}`, "firstChunkTimeout");
  }

  #startBeats(chat: Chat, writer: RunWriter, after: Position | undefined): void {
    const { lease, idleTimeout } = this.#settings;
    this.#isIdle = false;
    const run = { run: theRun, channel: chat.channels.run(theRun), lease };
    const beats = new Beats(chat, run, {
      after,
      isDue: (time) => {
        if (time - writer.appendedAt <= idleTimeout) return true;
        this.#stopBeats();
        this.#isIdle = true;
        return false;
      },
    });
    const remove = this.#internals.onClose(async () => beats.stop());
    this.#stopBeats = () => {
      beats.stop();
      remove();
    };
  }

  /** Ends a run of another process when that has died. */
  #watch(chat: Chat): LeaseWatch | null {
    const { lease } = this.#settings;
    if (this.#producing !== null || lease === Number.POSITIVE_INFINITY) return null;
    const watch = new LeaseWatch({
      hub: this.#internals,
      endsUnstarted: false,
      declare: () => agUi.failed("The process that produced the run has shown no sign of life").map(written),
      onFinish: async () => {},
      onError: () => {},
    });
    const channel = chat.channels.run(theRun);
    watch.watch(this.#runId, chat, { run: theRun, request: null, lease, channel, cursor: "" });
    return watch;
  }
}

/** A durable run is a chat with this one run. */
const theRun = "chunks";

function fencedError(runId: string, cause?: FencedError): SourcecastError {
  return new SourcecastError(
    "ERR_SSE_CONFLICT",
    `Run ${quote(runId)} has ended, or another producer has taken it over; start a new run`,
    { cause },
  );
}

/** A producer that another one has replaced has nothing to end. */
function ignoreConflict(error: unknown): void {
  if (!isConflict(error)) throw error;
}

function lossError(runId: string, loss: string): SourcecastError {
  return new SourcecastError(
    "ERR_SSE_CURSOR",
    `Run ${quote(runId)} cannot be continued (${loss}): the log does not have all chunks after that offset; start a new run`,
  );
}

/** The options with their defaults, in milliseconds. */
export interface DurabilitySettings {
  readonly lease: number;
  readonly firstChunkTimeout: number;
  readonly idleTimeout: number;
}
