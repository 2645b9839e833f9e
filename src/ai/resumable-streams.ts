// The interface of the context of `resumable-stream`, on the log of a hub.
import { aFunction, aName, anything, checkOption, checkOptions, type OptionChecks } from "../base/options.ts";
import type { Duration } from "../base/units.ts";
import type { Chat, ElectedRun } from "./chat.ts";
import { RunEngine } from "./engine.ts";
import { type RunsHub, type RunsOptions, resolveRunsOptions, runsChecks } from "./options.ts";

/** The options of {@link resumableStreams}. */
export interface ResumableStreamsOptions {
  /** As in `createRuns`: how long a producer may show no sign of life. @default "15s" */
  lease?: Duration;
  /** Called with failures that no caller waits for. @default console.error */
  onError?: (error: unknown) => void;
  /** Called with a promise that resolves when a stream of this process has ended: `after` of Next.js, for example. @default none */
  waitUntil?: ((promise: Promise<unknown>) => void) | null;
  /** Keeps the ids of several contexts on one hub apart. @default none */
  keyPrefix?: string;
  /** Accepted for code that passes it to `resumable-stream`, and not used: the hub's log takes the place of Redis. @default none */
  publisher?: unknown;
  /** Accepted and not used, as `publisher`. It is neither connected nor closed. @default none */
  subscriber?: unknown;
  /** Milliseconds. Accepted and not used: the end of a stream is in the log, and cannot be lost. @default none */
  doneWatchdogIntervalMs?: number;
}

/** The interface of `ResumableStreamContext` of `resumable-stream`. */
export interface ResumableStreams {
  /**
   * The stream of this id: a new one, or the one that is under way, from its start.
   *
   * @param makeStream Called only if no stream of this id was ever made.
   * @param skipCharacters How many characters are left out. @default 0
   * @returns `null` if the stream has ended.
   */
  resumableStream(
    streamId: string,
    makeStream: () => ReadableStream<string>,
    skipCharacters?: number,
  ): Promise<ReadableStream<string> | null>;
  /** The stream of this id; `undefined` if there was never one, `null` if it has ended. */
  resumeExistingStream(streamId: string, skipCharacters?: number): Promise<ReadableStream<string> | null | undefined>;
  /** A new stream. One of this id that is under way is stopped. */
  createNewResumableStream(
    streamId: string,
    makeStream: () => ReadableStream<string>,
    skipCharacters?: number,
  ): Promise<ReadableStream<string> | null>;
  /** `null` if there was never a stream of this id, `true` while it is under way, `"DONE"` after its end. */
  hasExistingStream(streamId: string): Promise<null | true | "DONE">;
}

const checks: OptionChecks<ResumableStreamsOptions> = {
  lease: runsChecks.lease,
  onError: aFunction,
  // `resumable-stream` takes null where nothing has to be told.
  waitUntil: (value, name) => (value === null ? undefined : aFunction(value, name)),
  keyPrefix: aName,
  publisher: anything,
  subscriber: anything,
  doneWatchdogIntervalMs: anything,
};

/**
 * Creates a context with the interface of `resumable-stream`, for code that uses it. The text is in the log and not in the
 * memory of the process that produces it: when that process dies, readers receive the text so far and an error.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { resumableStreams } from "sourcecast/ai";
 *
 * const hub = createHub();
 * const streams = resumableStreams(hub);
 * const words = () => new Response("Once upon a time").body!.pipeThrough(new TextDecoderStream());
 *
 * const stream = await streams.resumableStream("story 1", words);
 * for await (const text of stream ?? []) console.log(text); // Once upon a time
 * console.log(await streams.hasExistingStream("story 1")); // DONE
 * await hub.close();
 * ```
 */
export function resumableStreams(hub: RunsHub, options: ResumableStreamsOptions = {}): ResumableStreams {
  checkOptions(options, checks, "resumableStreams()");
  const { waitUntil, keyPrefix, publisher: _, subscriber: __, doneWatchdogIntervalMs: ___, ...own } = options;
  const resolved = resolveRunsOptions({ ...own, hub, protocol: "text", gather: 0 } satisfies RunsOptions);
  const engine = new RunEngine(resolved, "resumable-streams");

  /** Ids are checked here, since every function takes one. */
  async function open(streamId: string): Promise<Chat> {
    checkOption(streamId ?? null, aName, "streamId");
    return engine.chat(keyPrefix === undefined ? streamId : `${keyPrefix}:${streamId}`);
  }

  async function start(
    streamId: string,
    makeStream: () => ReadableStream<string>,
    isNew: boolean,
  ): Promise<ElectedRun | null> {
    checkOption(makeStream ?? null, aFunction, "makeStream");
    const chat = await open(streamId);
    if (!isNew) {
      const { run, isOver } = await chat.read();
      if (run !== null) {
        engine.watch(streamId, chat, run);
        return isOver ? null : run;
      }
    }
    const { run } = await engine.start({
      chatId: streamId,
      chat,
      produce: makeStream,
      requestId: null,
      replace: isNew,
      onFinish: undefined,
    });
    const finished = engine.finished(run);
    if (finished !== undefined) waitUntil?.(finished);
    return run;
  }

  function read(run: ElectedRun, skip: number): ReadableStream<string> {
    const events = resolved.internals.channel(run.channel).read({ from: run.cursor });
    let skipped = 0;
    return new ReadableStream<string>(
      {
        async pull(controller) {
          for (;;) {
            const { done, value } = await events.next();
            if (done) return controller.close();
            if (value.type === "message") {
              const data = value.data as string;
              const rest = data.slice(Math.max(0, skip - skipped));
              skipped += data.length;
              if (rest === "") continue;
              return controller.enqueue(rest);
            }
            if (value.type !== "sse:end") throw new Error(`The stream is not complete: ${JSON.stringify(value.data)}`);
          }
        },
        cancel: () => void events.return?.(),
      },
      { highWaterMark: 0 },
    );
  }

  return {
    async resumableStream(streamId, makeStream, skipCharacters = 0) {
      const run = await start(streamId, makeStream, false);
      return run && read(run, skipCharacters);
    },
    async resumeExistingStream(streamId, skipCharacters = 0) {
      const chat = await open(streamId);
      const { run, isOver } = await chat.read();
      if (run === null) return undefined;
      if (isOver) return null;
      engine.watch(streamId, chat, run);
      return read(run, skipCharacters);
    },
    async createNewResumableStream(streamId, makeStream, skipCharacters = 0) {
      const run = await start(streamId, makeStream, true);
      return run && read(run, skipCharacters);
    },
    async hasExistingStream(streamId) {
      const { run, isOver } = await (await open(streamId)).read();
      if (run === null) return null;
      return isOver ? "DONE" : true;
    },
  };
}
