// The runs of an application: a chat has one run at a time, in whatever process, and any number of readers.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { aBoolean, checkOptions } from "../base/options.ts";
import { assertRequest, type RequestLike, readLastEventId } from "../http/request.ts";
import { preauthorize } from "../hub/internals.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import { parseCursor } from "../wire/cursor.ts";
import type { Chat, ChatState, ElectedRun } from "./chat.ts";
import { lostError, RunEngine } from "./engine.ts";
import {
  type BeginOptions,
  beginChecks,
  type ResolvedRunsOptions,
  type RunsOptions,
  resolveRunsOptions,
  type StartOptions,
  type StopOptions,
  stopChecks,
} from "./options.ts";
import type { RunProducer } from "./producer.ts";

/**
 * Creates the runs of an application. A run is the output of a model for one message of a chat, on a channel of its
 * own: it outlives its readers, and declares the loss of its producer.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { createRuns } from "sourcecast/ai";
 *
 * const hub = createHub();
 * const runs = createRuns({ hub, protocol: "text" });
 *
 * async function* answer() {
 *   yield* ["Once ", "upon ", "a ", "time"];
 * }
 * const response = await runs.start("chat 1", answer, { request: new Request("http://localhost/chat") });
 * console.log((await response.text()).includes("data: Once ")); // true
 * console.log(await runs.state("chat 1")); // ended
 * await hub.close();
 * ```
 */
export function createRuns(options: RunsOptions): Runs {
  return new Runs(options);
}

/** The state of the newest run of a chat, in the words of `channel.state()`. */
export type RunState = "empty" | "open" | "ended";

/** The runs of an application's chats. See {@link createRuns}. */
export class Runs implements AsyncDisposable {
  readonly #options: ResolvedRunsOptions;
  readonly #engine: RunEngine;

  /** @internal Use {@link createRuns}. */
  constructor(options: RunsOptions) {
    this.#options = resolveRunsOptions(options);
    this.#engine = new RunEngine(this.#options, "runs");
  }

  /**
   * Starts a run, unless the chat has one under way. The run continues without readers, until its producer ends or it
   * is stopped.
   *
   * @param chatId Any text that identifies the chat.
   * @param produce Called once if this request starts the run.
   * @returns The stream of the run. 409 if the chat is busy and `onBusy` says `"reject"`.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option, `ERR_SSE_ARGUMENT` for an invalid chat id.
   * @throws {LogError} when the log cannot be reached, and {@link SourcecastError} `ERR_SSE_TIMEOUT` when it does not answer within
   * the limits of the hub; so does every other method.
   */
  async start(chatId: string, produce: RunProducer, options: StartOptions): Promise<Response> {
    const { request, ...others } = options ?? {};
    assertRequest(request);
    const requestId = others.requestId ?? (request.headers.get("idempotency-key") || undefined);
    const subscription = await this.begin(chatId, produce, requestId === undefined ? others : { ...others, requestId });
    return subscription === null ? busyResponse() : this.#options.hub.response(request, subscription);
  }

  /**
   * Starts a run as {@link Runs.start} does, for a framework without web requests.
   *
   * @returns The options with which a request reads the run, for `respond(hub, req, res, options)`; `null` if the chat is busy.
   * @throws {SourcecastTypeError} As {@link Runs.start} does.
   */
  async begin(chatId: string, produce: RunProducer, options: BeginOptions = {}): Promise<SubscribeOptions | null> {
    checkOptions(options, beginChecks, "runs.start()");
    if (typeof produce !== "function") throw argumentError("producer", produce, "a function that returns the output");
    const chat = await this.#chat(chatId);
    const { onBusy = this.#options.onBusy, onFinish = this.#options.onFinish, requestId = null } = options;
    const starting = { chatId, chat, produce, requestId, replace: onBusy === "replace", onFinish };
    const { won, run } = await this.#engine.start(starting);
    const isSame = requestId !== null && run.request === requestId;
    return won || isSame || onBusy === "join" ? this.#subscription(run) : null;
  }

  /**
   * Answers a request with the chat's newest run: from its beginning, or from the client's own position.
   *
   * @returns 204 if no run is under way, and the client has no position in one. A run whose `onFinish` failed is answered with
   * its text and the failure, until the chat has another run, since no other place has the text.
   */
  async resume(chatId: string, request: RequestLike): Promise<Response> {
    assertRequest(request);
    const lastEventId = readLastEventId(request);
    const chat = await this.#chat(chatId);
    const state = await chat.read();
    const subscription =
      (await this.#earlier(chatId, chat, state, lastEventId)) ?? this.#newest(chatId, chat, state, lastEventId !== "");
    return subscription === null
      ? new Response(null, { status: 204 })
      : this.#options.hub.response(request, subscription);
  }

  /**
   * The options with which a request reads the chat's newest run, for `respond(hub, req, res, options)` in a framework without
   * web requests.
   *
   * @param options `ended`: whether a run that has ended counts, for a client with a position; by default not.
   * @returns `null` without a run: answer 204. A run whose `onFinish` failed counts, as it does for {@link Runs.resume}.
   */
  async find(chatId: string, options: { ended?: boolean } = {}): Promise<SubscribeOptions | null> {
    checkOptions(options, { ended: aBoolean }, "runs.find()");
    const chat = await this.#chat(chatId);
    return this.#newest(chatId, chat, await chat.read(), options.ended === true);
  }

  /**
   * Stops the run that is under way, in whatever process. The run that is stopped is recorded, so a late stop never hits the
   * next one.
   *
   * @returns Whether a run was under way.
   */
  async stop(chatId: string, options: StopOptions = {}): Promise<boolean> {
    checkOptions(options, stopChecks, "runs.stop()");
    const chat = await this.#chat(chatId);
    const run = await chat.stop(options.requestId ?? null);
    if (run === null) return false;
    this.#engine.stop(chatId, chat, run);
    return true;
  }

  /** The state of the chat's newest run: `"empty"` without one, `"open"` while it is under way, `"ended"`. */
  async state(chatId: string): Promise<RunState> {
    const chat = await this.#chat(chatId);
    const { run, isOver } = await chat.read();
    if (run === null) return "empty";
    if (!isOver) this.#engine.watch(chatId, chat, run);
    return isOver ? "ended" : "open";
  }

  /**
   * Deletes a chat: stops its run, and erases its events from the log and from the memory of every process. Its readers are told
   * that it was stopped, or that the rest is missing. `onFinish` is not called for the run; a call that is under way in another
   * process may end after this. A run that is being started at this time is deleted, too, or is one of a new chat as a whole.
   *
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a log that cannot erase, with nothing done: rely on its retention then.
   */
  async delete(chatId: string): Promise<void> {
    await this.#engine.delete(await this.#chat(chatId));
  }

  /**
   * Ends the runs of this process with an error, those included that are being started. `hub.close()` does so, too. Resolves when
   * they have ended.
   */
  close(): Promise<void> {
    return this.#engine.close();
  }

  /** Calls {@link Runs.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #chat(chatId: string): Promise<Chat> {
    if (typeof chatId === "string" && chatId !== "") return this.#engine.chat(chatId);
    throw argumentError("chat id", chatId, "text that is not empty");
  }

  /** The run of a client's position, if another one is the newest since: its events do not continue that run. */
  async #earlier(
    chatId: string,
    chat: Chat,
    { run, head }: ChatState,
    lastEventId: string,
  ): Promise<SubscribeOptions | null> {
    const position = parseCursor(lastEventId);
    if (position === null) return null;
    const start = run && parseCursor(run.cursor);
    if (start === null || position.epoch !== head.epoch || position.offset >= start.offset) return null;
    const earlier = await chat.runAt(position.offset);
    if (earlier !== null) this.#engine.watch(chatId, chat, earlier);
    return earlier && this.#subscription(earlier);
  }

  /** The chat's newest run, if it is under way or unstored, or if one that has ended counts. */
  #newest(chatId: string, chat: Chat, state: ChatState, ended: boolean): SubscribeOptions | null {
    const { run, isOver, isUnstored } = state;
    if (run === null || (isOver && !isUnstored && !ended)) return null;
    if (!isOver) this.#engine.watch(chatId, chat, run);
    return this.#subscription(run);
  }

  #subscription(run: ElectedRun): SubscribeOptions {
    const { protocol, errorText } = this.#options;
    const { headers, end } = protocol;
    const reading = { channels: [run.channel], from: run.cursor, headers: { ...headers } };
    const loss = () => protocol.failed(errorText(lostError()));
    return preauthorize(end === undefined ? reading : { ...reading, control: { end, loss } });
  }
}

/** 409: the client may try again, join the run or stop it. */
function busyResponse(): Response {
  return Response.json({ error: "busy", message: "The chat has an answer under way" }, { status: 409 });
}

function argumentError(name: string, value: unknown, allowed: string): SourcecastTypeError {
  return new SourcecastTypeError("ERR_SSE_ARGUMENT", `The ${name} is ${quote(value)}; pass ${allowed}`);
}
