// The options of runs: their checks and their defaults.
import {
  aDuration,
  aFunction,
  allow,
  aName,
  anObjectWith,
  checkOptions,
  type OptionChecks,
  optionError,
} from "../base/options.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import type { RequestLike } from "../http/request.ts";
import { type HubInternals, internalsOf } from "../hub/internals.ts";
import { reportError, safely } from "../hub/lifetime/report.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import type { FinishedRun } from "./producer.ts";
import type { RunProtocol } from "./protocol.ts";
import { aProtocol, type ProtocolName, protocolOf } from "./protocols.ts";

/** The part of a hub that runs use. Any hub of `createHub()` fits. */
export interface RunsHub {
  /** As in {@link Hub.response}. */
  response(request: RequestLike, options: SubscribeOptions): Promise<Response>;
}

/** The answer to a request for a chat that has a run under way. */
export type OnBusy = "reject" | "join" | "replace";

/** The options of {@link createRuns}. */
export interface RunsOptions {
  /** The hub whose log stores the output. */
  hub: RunsHub;
  /** The protocol of the clients. */
  protocol: ProtocolName | RunProtocol;
  /**
   * How long a run may show no sign of life before another process treats its producer as dead. Then the run ends with an error
   * in the terms of the protocol.
   * @default "15s"
   */
  lease?: Duration;
  /**
   * How long the deltas of one part are collected into one event. The first one is sent immediately. 0 keeps every piece apart.
   * @default "30ms"
   */
  gather?: Duration;
  /**
   * The answer to another request while a run is under way: `"reject"` with 409, `"join"` that run, or `"replace"` it. A request
   * with the same request id always joins.
   * @default "reject"
   */
  onBusy?: OnBusy;
  /** How long the producer may yield nothing before the run fails. @default "5m" */
  idleTimeout?: Duration;
  /**
   * Called with the whole text before the run ends, for the application to store it. So the text of a run that has
   * ended is stored. A single process calls it, once. It is called again only if that process dies, or loses the log,
   * before it has published the end. The run id is the same then, so store the text under the run id. After a loss of
   * the log, the second call may have the outcome `"lost"` and less text: keep the longer one. If the callback throws,
   * rejects or takes longer than `finishTimeout`, `onError` gets the error, and the run ends with an error in the terms of
   * the protocol. It is not called again. The log keeps the run, and
   * {@link Runs.resume} continues to answer with its text and the error until the chat has another run.
   * @default none
   */
  onFinish?: (run: FinishedRun) => unknown;
  /** How long `onFinish` may take before the run fails. @default "1m" */
  finishTimeout?: Duration;
  /** The text that readers see for an error. @default "The answer could not be completed" */
  errorText?: (error: unknown) => string;
  /** Called with failures that no caller waits for. @default console.error */
  onError?: (error: unknown) => void;
}

/** The options of {@link Runs.begin}. */
export interface BeginOptions {
  /**
   * Identifies the request: another one with the same id gets its run, even after its end. If the run has failed, or was lost, it
   * starts another one.
   * @default none
   */
  requestId?: string;
  /** As in {@link RunsOptions}, for this run. @default that of `createRuns` */
  onBusy?: OnBusy;
  /**
   * As in {@link RunsOptions}, for this run. A process that finds the run lost calls that of `createRuns`.
   * @default that of `createRuns`
   */
  onFinish?: (run: FinishedRun) => unknown;
}

/** The options of {@link Runs.start}. Without `requestId`, the header `Idempotency-Key` of the request counts. */
export interface StartOptions extends BeginOptions {
  /** The request that the response answers. */
  request: RequestLike;
}

/** The options of {@link Runs.stop}. */
export interface StopOptions {
  /**
   * Stops only the run of this request, even if it has not started yet. @default the run that is under way
   */
  requestId?: string;
}

/** The options with their defaults, in milliseconds. */
export interface ResolvedRunsOptions extends Required<Pick<RunsOptions, "hub" | "onBusy" | "errorText" | "onError">> {
  readonly onFinish: RunsOptions["onFinish"];
  readonly internals: HubInternals;
  readonly protocol: RunProtocol;
  readonly leaseMs: number;
  readonly gatherMs: number;
  readonly idleMs: number;
  readonly finishMs: number;
}

const busyAnswers: readonly unknown[] = ["reject", "join", "replace"];
const anAnswer = allow('"reject", "join" or "replace"', (value) => busyAnswers.includes(value));

/** A lease shorter than this would treat a busy process as a dead one. */
const minLeaseMs = 100;

/** The checks of {@link RunsOptions}. */
export const runsChecks: OptionChecks<RunsOptions> = {
  hub: anObjectWith("a hub of createHub()", "response"),
  protocol: aProtocol,
  lease: (value, name) => {
    if (milliseconds(value as Duration, name) < minLeaseMs) throw optionError(name, value, `${minLeaseMs} ms or more`);
  },
  gather: aDuration,
  onBusy: anAnswer,
  idleTimeout: aDuration,
  onFinish: aFunction,
  finishTimeout: aDuration,
  errorText: aFunction,
  onError: aFunction,
};

/** The checks of {@link BeginOptions}. */
export const beginChecks: OptionChecks<BeginOptions> = { requestId: aName, onBusy: anAnswer, onFinish: aFunction };

/** The checks of {@link StopOptions}. */
export const stopChecks: OptionChecks<StopOptions> = { requestId: aName };

/** @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option. */
export function resolveRunsOptions(options: RunsOptions): ResolvedRunsOptions {
  checkOptions(options ?? {}, runsChecks, "createRuns()");
  const { hub, protocol } = options ?? {};
  const internals = assertHub(hub);
  const onError = safely(options.onError ?? reportError);
  if (protocol === undefined) aProtocol(protocol, "protocol");
  return {
    hub,
    internals,
    protocol: protocolOf(protocol),
    leaseMs: milliseconds(options.lease ?? "15s", "lease"),
    gatherMs: milliseconds(options.gather ?? "30ms", "gather"),
    idleMs: milliseconds(options.idleTimeout ?? "5m", "idleTimeout"),
    finishMs: milliseconds(options.finishTimeout ?? "1m", "finishTimeout"),
    onBusy: options.onBusy ?? "reject",
    onFinish: options.onFinish,
    errorText: options.errorText ?? (() => "The answer could not be completed"),
    onError: (error) => onError(error, { stage: "run" }),
  };
}

/**
 * The inner parts of a hub.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for anything but a hub.
 */
export function assertHub(hub: unknown): HubInternals {
  const internals = internalsOf(hub);
  if (internals === undefined) throw optionError("hub", hub, "a hub of createHub()");
  return internals;
}
