// A durability adapter for TanStack AI: its interface, and its options.

import { quote, SourcecastError } from "../base/errors.ts";
import { aDuration, aName, checkOptions, type OptionChecks, optionError } from "../base/options.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import type { RequestLike } from "../http/request.ts";
import { parseOffset } from "./durable-offset.ts";
import { LogDurability } from "./log-durability.ts";
import { assertHub, type RunsHub, runsChecks } from "./options.ts";

/**
 * The interface of `StreamDurability` of `@tanstack/ai`, typed by structure. It is not an `UpsertableStreamDurability`: a log only
 * appends. A producer that continues a run drops the prefix that `snapshot()` returns, and appends the rest.
 */
export interface StreamDurability<Chunk = never> {
  /** The offset in the request; `null` for a producer. */
  resumeFrom(): string | null;
  /**
   * Stores chunks next to each other, and resolves with the offset of each. The adapter that appends first takes the run over.
   *
   * @throws {SourcecastError} `ERR_SSE_CONFLICT` when the run has ended, or another adapter has taken it over since.
   */
  append(chunks: Chunk[]): Promise<string[]>;
  /** The chunks after an offset (`"-1"` for all, `"now"` for later ones), until the run is closed or the signal aborts. */
  read(offset: string, signal?: AbortSignal): AsyncIterable<{ offset: string; chunk: Chunk }>;
  /** Ends the run and its readers, even if no chunk was appended. */
  close(): Promise<void>;
  /** The chunks that are stored now, whether the run has ended or not. */
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
  /** How long a reader waits for the first chunk of a run that has none before it fails. @default "1s" */
  firstChunkTimeout?: Duration;
  /**
   * How long a producer may show no sign of life before a reader in another process ends the run with `RUN_ERROR`. `false` for a
   * run that another producer may take over later.
   * @default "15s"
   */
  lease?: Duration | false;
  /**
   * How long a producer may append nothing before it counts as dead, even if its process lives: it may have been left without
   * `close()`. @default "5m"
   */
  idleTimeout?: Duration;
}

const checks: OptionChecks<StreamDurabilityOptions> = {
  firstChunkTimeout: aDuration,
  lease: (value, name) => (value === false ? undefined : runsChecks.lease(value, name)),
  idleTimeout: aDuration,
};

/**
 * Creates the durability adapter of one run, for the option `durability.adapter` of `toServerSentEventsResponse` and
 * `resumeServerSentEventsResponse`. The offset is in `Last-Event-ID` or the query parameter `offset`, and names its
 * run. Without one, the header `X-Run-Id` or the query parameter `runId` names it. All of them come from the client, so
 * check that it may read that run.
 *
 * @param source The request, or the run.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option or run id.
 * @throws {SourcecastError} `ERR_SSE_CURSOR` for an offset that is not one of a run.
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
  if (!isRequestLike(source) && !isRun(source))
    throw optionError("source", source, "a request, or an object with a runId");
  const { runId, offset } = "runId" in source ? { offset: null, ...source } : runOf(source);
  aName(runId, "runId");
  // Offsets carry it, and are ids of events.
  if (/[\r\n]/.test(runId)) throw optionError("runId", runId, "a name without line ends");
  assertOffset(offset ?? null);
  const { lease = "15s", firstChunkTimeout = "1s", idleTimeout = "5m" } = options;
  const settings = {
    lease: lease === false ? Number.POSITIVE_INFINITY : milliseconds(lease, "lease"),
    firstChunkTimeout: milliseconds(firstChunkTimeout, "firstChunkTimeout"),
    idleTimeout: milliseconds(idleTimeout, "idleTimeout"),
  };
  return new LogDurability<Chunk>(internals, runId, offset ?? null, settings);
}

/** An offset that another server has made is not a position of any run. */
function assertOffset(offset: string | null): void {
  if (offset === null || offset === "-1" || offset === "now" || parseOffset(offset) !== null) return;
  throw new SourcecastError(
    "ERR_SSE_CURSOR",
    `The offset is ${quote(offset)}; pass "-1", "now", or an offset that append() or read() returned`,
  );
}

function isRun(source: unknown): source is DurableRun {
  return typeof source === "object" && source !== null && "runId" in source;
}

function isRequestLike(source: unknown): source is RequestLike {
  const { url, headers } = (source ?? {}) as Partial<RequestLike>;
  return typeof url === "string" && typeof headers?.get === "function";
}

/** The run and the offset that a request names. */
function runOf(request: RequestLike): { runId: string; offset: string | null } {
  const query = new URL(request.url, "http://localhost").searchParams;
  const offset = request.headers.get("last-event-id") || query.get("offset");
  const named = request.headers.get("x-run-id") || query.get("runId");
  return { runId: parseOffset(offset ?? "")?.runId ?? (named || crypto.randomUUID()), offset };
}
