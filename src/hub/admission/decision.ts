// Whether a request gets a stream: the application's permission, and then one question to the log.
import type { CapturedContext } from "../../base/async-context.ts";
import { isPromise } from "../../base/deadline.ts";
import {
  type EarlyResponse,
  forbidden as forbiddenResponse,
  noContent,
  retryLater,
} from "../../http/early-response.ts";
import { readLastEventId } from "../../http/request.ts";
import type { Exchange } from "../../sinks/exchange.ts";
import type { ResolvedOptions } from "../../source/options.ts";
import { encodeControl, encodeLater, type LaterReason } from "../../wire/control.ts";
import { encodeRetry } from "../../wire/encode.ts";
import { drawOverloadRetry } from "../../wire/retry.ts";
import type { SubscribeOptions } from "../options.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import { narrow, type Subscribing } from "../selection.ts";
import type { Counters } from "../stats.ts";
import { isLostId } from "../subscription/protocol.ts";
import { findOrigin, hasReceivedAllEnds, hasReceivedAllEvents, type Origin, type OriginContext } from "./origin.ts";
import type { Permissions } from "./permissions.ts";
import type { Slot } from "./slots.ts";

/**
 * Waits for the application's answer, and then asks the log. Does not reject for a failure of either: that becomes an answer
 * which lets the client retry, since the failure is on this side.
 */
export function decide(
  context: DecisionContext,
  gate: Gate,
  candidate: Candidate,
  permission: Permission,
): Decision | Promise<Decision> {
  if (isPromise(permission)) return permission.then((allowed) => decide(context, gate, candidate, allowed));
  const { exchange, sourceOptions } = candidate;
  const { request } = exchange;
  const { asked, early } = permit(context, candidate, permission);
  if (early !== null) return { early };
  const rejected = gate.rejectedSince(candidate);
  if (rejected !== null) return { early: rejected };
  const { control } = asked.options;
  // The declaration of the loss was the end of its stream.
  if (control !== undefined && isLostId(readLastEventId(request))) {
    return { early: noContent(request, sourceOptions, "lost") };
  }
  const fail = (error: unknown): Decision => {
    // A hub that is closed during the question closes its log.
    if (gate.isOpen) context.onError(error, { stage: "replay" });
    return { early: retryLater(request, sourceOptions, "error") };
  };
  // Without a promise in the usual case: nothing else has to be asked.
  const conclude = (origin: Origin): Decision | Promise<Decision> => {
    const answer = (isOver: boolean): Decision =>
      isOver ? { origin, asked, early: noContent(request, sourceOptions, "ended") } : { origin, asked };
    if (hasReceivedAllEnds(origin, asked.selection)) return answer(true);
    if (control === undefined || control.end) return answer(false);
    // Without an event for the end, the client cannot tell that it has received everything, and keeps reconnecting.
    return hasReceivedAllEvents(context, origin, asked.selection).then(answer, fail);
  };
  return findOrigin(context, request, asked, conclude, fail);
}

/**
 * The end of a stream that is open already, for a rejection that would have been another response. A client that may try again
 * is told when; one that is forbidden to read is not, or it would come back.
 */
export function farewell({ status, reason }: EarlyResponse, { control }: SubscribeOptions): string {
  // Clients of another protocol know no event of the hub.
  if (control !== undefined) return encodeRetry(drawOverloadRetry());
  if (status === 403) return encodeControl("sse:end", { reason: "forbidden" });
  return encodeLater(reason as LaterReason, drawOverloadRetry());
}

/** Asks the application which of the channels may be read. */
export function askPermission({ permissions, asked: { options, channels, forbidden } }: Candidate): Permission {
  const isEach = options.label === true;
  return !isEach && forbidden.length > 0 ? [] : permissions.reauthorize(channels, isEach);
}

/**
 * The request without the channels that may not be read, or its rejection. On a stream that does not label its events, one of
 * them rejects the whole request: its client could not tell which channel is missing.
 *
 * @param allowed The channels that may be read; `null` if the application did not answer.
 */
export function permit(
  { counters }: DecisionContext,
  candidate: Candidate,
  allowed: readonly string[] | null,
): { readonly asked: Subscribing; readonly early: EarlyResponse | null } {
  const { exchange, sourceOptions, asked } = candidate;
  const { channels, forbidden, options } = asked;
  const isWhole = allowed?.length === channels.length && forbidden.length === 0;
  if (!isWhole) counters.countRefused("authorize");
  // Not 403: it would stop a native client for good, for a failure on this side.
  if (allowed === null) return { asked, early: retryLater(exchange.request, sourceOptions, "error") };
  const isOpen = isWhole || (options.label === true && allowed.length > 0);
  if (!isOpen) return { asked, early: forbiddenResponse(exchange.request, sourceOptions) };
  return { asked: narrow(asked, allowed), early: null };
}

/** The channels that may be read; `null` if the application did not answer. */
export type Permission = readonly string[] | null | Promise<readonly string[] | null>;

/** A request that is being admitted. */
export interface Candidate {
  readonly exchange: Exchange;
  readonly asked: Subscribing;
  readonly permissions: Permissions;
  readonly sourceOptions: ResolvedOptions;
  readonly asyncContext: CapturedContext;
  readonly slot: Slot;
  revoked: boolean;
}

/** Where the stream begins, and the response to send in its place, if any. */
export interface Decision {
  readonly early?: EarlyResponse;
  readonly origin?: Origin;
  /** The request with the channels that it may have. */
  readonly asked?: Subscribing;
}

/** The admission, whose state may change while the application and the log are asked. */
export interface Gate {
  /** False once the hub takes no more requests. */
  readonly isOpen: boolean;
  /** Why a request that was admitted is rejected now; `null` if nothing has changed. Asked after every wait. */
  rejectedSince(candidate: Candidate): EarlyResponse | null;
}

/** The parts of the hub that decide. */
export interface DecisionContext extends OriginContext, Pick<ResolvedHubOptions, "authorize" | "onError"> {
  readonly counters: Counters;
}
