// A durability adapter for TanStack AI: the chunks of a run are entries of a channel.
import { now, WakeTimer } from "../base/clock.ts";
import { withDeadline } from "../base/deadline.ts";
import { quote, SourcecastError } from "../base/errors.ts";
import { aDuration, aName, checkOptions, type OptionChecks } from "../base/options.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import type { RequestLike } from "../http/request.ts";
import type { HubInternals } from "../hub/internals.ts";
import { formatCursor } from "../wire/cursor.ts";
import { beatsPerLease, Chat } from "./chat.ts";
import { entriesOf } from "./entries.ts";
import { written } from "./gather.ts";
import { LeaseWatch } from "./lease-watch.ts";
import { assertHub, type RunsHub, runsChecks } from "./options.ts";
import { agUi } from "./protocols/ag-ui.ts";
import { endMarker } from "./run-writer.ts";

/** The interface of `StreamDurability` of `@tanstack/ai`, typed by structure. */
export interface StreamDurability<Chunk = never> {
  /** The offset in the request; `null` for a producer. */
  resumeFrom(): string | null;
  /** Stores chunks next to each other, and resolves with the offset of each. */
  append(chunks: Chunk[]): Promise<string[]>;
  /** The chunks after an offset (`"-1"` for all, `"now"` for later ones), until the run is closed or the signal aborts. */
  read(offset: string, signal?: AbortSignal): AsyncIterable<{ offset: string; chunk: Chunk }>;
  /** Ends the run. */
  close(): Promise<void>;
  /** The chunks that are stored now. */
  snapshot(): Promise<{ offset: string; chunk: Chunk }[]>;
}

/** The run, for a caller without a request. */
export interface DurableRun {
  /** The id of the run. */
  runId: string;
  /** The offset to resume after. @default null */
  offset?: string | null;
}

/** The options of {@link streamDurability}. */
export interface StreamDurabilityOptions {
  /** How long a reader from the start waits for the first chunk before it fails. @default "1s" */
  firstChunkTimeout?: Duration;
  /**
   * How long a producer may show no sign of life before a reader in another process ends the run with `RUN_ERROR`. `false` for a
   * run that another producer may take over later.
   * @default "15s"
   */
  lease?: Duration | false;
}

const checks: OptionChecks<StreamDurabilityOptions> = {
  firstChunkTimeout: aDuration,
  lease: (value, name) => (value === false ? undefined : runsChecks.lease(value, name)),
};

/**
 * Creates the durability adapter of one run, for the option `durability.adapter` of `toServerSentEventsResponse` and
 * `resumeServerSentEventsResponse`. The run is named by the header `X-Run-Id` or the query parameter `runId`, and the offset by
 * `Last-Event-ID` or the query parameter `offset`.
 *
 * @param source The request, or the run.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option or run id.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { streamDurability } from "sourcecast/ai";
 *
 * const hub = createHub();
 * const producer = streamDurability<{ type: string }>(hub, { runId: "run 1" });
 * const [offset] = await producer.append([{ type: "RUN_STARTED" }, { type: "RUN_FINISHED" }]);
 * await producer.close();
 * for await (const { chunk } of producer.read(`${offset}`)) console.log(chunk.type); // RUN_FINISHED
 * await hub.close();
 * ```
 */
export function streamDurability<Chunk = never>(
  hub: RunsHub,
  source: RequestLike | DurableRun,
  options: StreamDurabilityOptions = {},
): StreamDurability<Chunk> {
  const internals = assertHub(hub);
  checkOptions(options, checks, "streamDurability()");
  const { runId, offset } = "runId" in source ? { offset: null, ...source } : runOf(source);
  aName(runId, "runId");
  const { lease = "15s", firstChunkTimeout = "1s" } = options;
  const settings = {
    lease: lease === false ? Number.POSITIVE_INFINITY : milliseconds(lease, "lease"),
    firstChunkTimeout: milliseconds(firstChunkTimeout, "firstChunkTimeout"),
  };
  return new LogDurability<Chunk>(internals, runId, offset ?? null, settings);
}

/** The run and the offset that a request names. */
function runOf(request: RequestLike): { runId: string; offset: string | null } {
  const query = new URL(request.url, "http://localhost").searchParams;
  return {
    runId: request.headers.get("x-run-id") || query.get("runId") || crypto.randomUUID(),
    offset: request.headers.get("last-event-id") || query.get("offset"),
  };
}

interface Settings {
  readonly lease: number;
  readonly firstChunkTimeout: number;
}

class LogDurability<Chunk> implements StreamDurability<Chunk> {
  readonly #internals: HubInternals;
  readonly #runId: string;
  readonly #offset: string | null;
  readonly #settings: Settings;
  readonly #chat: Promise<Chat>;
  /** Stops the signs of life of this process. `null` while it does not produce chunks. */
  #stopBeats: (() => void) | null = null;

  constructor(internals: HubInternals, runId: string, offset: string | null, settings: Settings) {
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
    const chat = await this.#chat;
    const channel = chat.channels.run(theRun);
    if (chunks.length === 0) return [];
    this.#stopBeats ??= this.#startBeats(chat);
    const entries = chunks.map((chunk) => ({ channel, type: "message", data: JSON.stringify(chunk) }));
    const positions = await this.#internals.log.append(entries);
    this.#internals.countPublished(entries.length);
    return positions.map(formatCursor);
  }

  async *read(offset: string, signal?: AbortSignal): AsyncGenerator<{ offset: string; chunk: Chunk }> {
    const chat = await this.#chat;
    const start = offset === "-1" ? { from: "start" } : offset === "now" ? {} : { after: offset };
    const events = this.#internals.channel(chat.channels.run(theRun)).read({ ...start, signal });
    const watch = this.#watch(chat);
    try {
      let next = events.next();
      if (offset === "-1") next = this.#first(next);
      for (let result = await next; !result.done; result = await events.next()) {
        const event = result.value;
        if (event.type !== "message") throw lossError(this.#runId, event.type);
        yield { offset: event.cursor, chunk: event.json<Chunk>() };
      }
    } finally {
      watch?.close();
      await events.return?.();
    }
  }

  async close(): Promise<void> {
    this.#stopBeats?.();
    const channel = (await this.#chat).channels.run(theRun);
    const [newest] = await this.#internals.log.last(1, { channels: [channel], prefixes: [] });
    // A run without chunks was never a run.
    if (newest !== undefined && newest.type !== "sse:end") await this.#internals.log.append([endMarker(channel)]);
  }

  async snapshot(): Promise<{ offset: string; chunk: Chunk }[]> {
    const { log } = this.#internals;
    const channel = (await this.#chat).channels.run(theRun);
    const chunks: { offset: string; chunk: Chunk }[] = [];
    for await (const { epoch, entry } of entriesOf(log, { channels: [channel], prefixes: [] }, 0)) {
      if (entry.type !== "message") continue;
      const { offset, witness } = entry;
      chunks.push({ offset: formatCursor({ epoch, offset, witness }), chunk: JSON.parse(entry.data) as Chunk });
    }
    return chunks;
  }

  /** The first chunk of a run that may never have been started. */
  async #first<T>(next: Promise<T>): Promise<T> {
    const { firstChunkTimeout } = this.#settings;
    return withDeadline(next, firstChunkTimeout, `The first chunk of run ${quote(this.#runId)}`, "firstChunkTimeout");
  }

  /** @returns A function that stops them. */
  #startBeats(chat: Chat): () => void {
    const interval = this.#settings.lease / beatsPerLease;
    const timer = new WakeTimer((time) => {
      timer.set(time + interval);
      chat.beat(theRun).catch(() => {});
    });
    timer.set(now() + interval);
    const remove = this.#internals.onClose(async () => timer.stop());
    return () => {
      timer.stop();
      remove();
    };
  }

  /** Ends a run of another process when that has died. */
  #watch(chat: Chat): LeaseWatch | null {
    const { lease } = this.#settings;
    if (this.#stopBeats !== null || lease === Number.POSITIVE_INFINITY) return null;
    const watch = new LeaseWatch({
      hub: this.#internals,
      endsUnstarted: false,
      lostEvents: () => agUi.failed("The process that produced the run has shown no sign of life").map(written),
      onLost: async () => {},
      onError: () => {},
    });
    const channel = chat.channels.run(theRun);
    watch.watch(this.#runId, chat, { run: theRun, request: null, lease, channel, cursor: "" });
    return watch;
  }
}

/** A durable run is a chat with this one run. */
const theRun = "chunks";

function lossError(runId: string, loss: string): SourcecastError {
  return new SourcecastError(
    "ERR_SSE_CURSOR",
    `Run ${quote(runId)} cannot be continued (${loss}): the log no longer has all its chunks; start a new run`,
  );
}
