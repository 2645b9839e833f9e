// Which requests get a stream, and how the others are answered.
import { type CapturedContext, captureContext } from "../../base/async-context.ts";
import { isPromise } from "../../base/deadline.ts";
import { badRequest, type EarlyResponse, earlyResponse, headResponse, retryLater } from "../../http/early-response.ts";
import type { RequestLike } from "../../http/request.ts";
import type { ChannelSelection } from "../../log/log.ts";
import type { Exchange } from "../../sinks/exchange.ts";
import type { ResolvedOptions } from "../../source/options.ts";
import { Stream } from "../../source/stream.ts";
import { Frame } from "../../wire/frame.ts";
import { requestProblem } from "../channels-of.ts";
import type { CompressionGroups } from "../compression-groups.ts";
import { isPreauthorized } from "../internals.ts";
import type { SubscribeOptions } from "../options.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import type { Subscribing } from "../selection.ts";
import type { Counters } from "../stats.ts";
import {
  askPermission,
  type Candidate,
  type Decision,
  type DecisionContext,
  decide,
  farewell,
  type Gate,
  type Permission,
  permit,
} from "./decision.ts";
import type { Origin } from "./origin.ts";
import { AskedPermissions, allPermissions, type Permissions } from "./permissions.ts";
import { ConnectionSlots, Slot } from "./slots.ts";

/**
 * Admits requests: slot, permission, and then one question to the log, before the response starts.
 *
 * The order is that of the costs. Slots bound how many calls of `authorize` are pending at once, and a client that may
 * not read costs the log nothing. Until the response starts, each step can still change its status. Every way out of
 * the admission releases the slot. Only a subscription keeps it, and releases it when it ends.
 */
export class Admission implements Gate {
  readonly #context: AdmissionContext;
  readonly #slots: ConnectionSlots;
  /** Requests with a key that are being admitted: a revocation has to find them before they are subscriptions. */
  readonly #candidates = new Set<Candidate>();
  isOpen = true;

  constructor(context: AdmissionContext) {
    this.#context = context;
    this.#slots = new ConnectionSlots(context.limits);
  }

  /** The number of slots in use. */
  get connections(): number {
    return this.#slots.total;
  }

  /** From now on every request is told to retry later, those included whose answer is still pending. */
  close(): void {
    this.isOpen = false;
  }

  /**
   * Requests with this key that are still being admitted do not get a stream: the permission that they were given may be
   * the one that was revoked. They retry, and are authorized again.
   */
  revoke(key: string): void {
    for (const candidate of this.#candidates) if (candidate.asked.options.key === key) candidate.revoked = true;
  }

  /**
   * Opens a stream. It is closed from the start if the client has left: it frees its slot at once, however long the
   * application and the log take. Until the stream is open, nothing else observes the sink.
   *
   * @param handle Makes what the promise resolves with.
   * @returns `null` if the request got another response.
   * @throws {SourcecastTypeError} for headers that cannot be sent, with nothing sent.
   */
  open<Handle>(exchange: Exchange, asked: Subscribing, handle: (stream: Stream) => Handle): Promise<Handle | null> {
    // One promise and few closures: every connection comes here.
    return new Promise((resolve, reject) => {
      const candidate = this.#admit(exchange, asked);
      if (candidate === null) {
        resolve(null);
        return;
      }
      let forget: (() => void) | null = null;
      let isOver = false;
      const settle = (decision: Decision | null): void => {
        if (isOver) return;
        isOver = true;
        forget?.();
        try {
          const stream = this.#answer(candidate, decision);
          resolve(stream === null ? null : handle(stream));
        } catch (error) {
          fail(error);
        }
        this.#candidates.delete(candidate);
      };
      const fail = (error: unknown): void => {
        isOver = true;
        forget?.();
        this.#dismiss(candidate);
        reject(error);
      };
      try {
        const permission = askPermission(candidate);
        forget = exchange.sink.onceGone(() => settle(null));
        const decision = decide(this.#context, this, candidate, permission);
        if (isPromise(decision)) decision.then(settle, fail);
        else settle(decision);
      } catch (error) {
        fail(error);
      }
    });
  }

  /**
   * Opens a stream in this tick, and asks the log afterwards. The header and the opening leave at once; the events of
   * the channels follow when they are known. `authorize` is called first: if it returns at once, a rejection gets its
   * status. If it returns a promise, a rejection ends the stream, since the header cannot wait for it.
   *
   * @returns `null` if the request got another response.
   * @throws {SourcecastTypeError} for headers that cannot be sent, with nothing sent.
   */
  openNow(exchange: Exchange, asked: Subscribing): Stream | null {
    const candidate = this.#admit(exchange, asked);
    if (candidate === null) return null;
    try {
      const permission = askPermission(candidate);
      const rejection = isPromise(permission)
        ? null
        : (permit(this.#context, candidate, permission).early ?? this.rejectedSince(candidate));
      if (rejection !== null) {
        this.#dismiss(candidate);
        exchange.sink.refuse(rejection);
        return null;
      }
      const stream = openStream(candidate);
      if (stream.closeReason === null) void this.#subscribeLater(stream, candidate, permission);
      else this.#dismiss(candidate);
      return stream;
    } catch (error) {
      this.#dismiss(candidate);
      throw error;
    }
  }

  /** Answers a request whose client has sent a value that is not valid. */
  rejectInput({ request, sink }: Exchange, options: SubscribeOptions, error: unknown): void {
    const sourceOptions = this.#optionsFor(options);
    const early = earlyResponse(request, sourceOptions);
    const problem = requestProblem(options, error);
    // Any visitor could fill the error log of the application with requests that it has no part in.
    if (early === null && problem === null) this.#context.onError(error, { stage: "request" });
    const message = "The channels of this request, or its position, are not valid";
    sink.refuse(early ?? badRequest(request, sourceOptions, problem ?? { message }));
  }

  /** Takes a slot for a request that may get a stream. Any other is answered here. */
  #admit(exchange: Exchange, asked: Subscribing): Candidate | null {
    const { request, sink } = exchange;
    const sourceOptions = this.#optionsFor(asked.options, asked.selection);
    const slot = earlyResponse(request, sourceOptions) ?? this.#acquireSlot(exchange, asked, sourceOptions);
    if (!(slot instanceof Slot)) {
      sink.refuse(slot);
      return null;
    }
    // HEAD is answered as GET would be, and opens nothing that would keep the slot.
    if (request.method === "HEAD") slot.release();
    // Callbacks for this connection run in the context of its request, whoever causes them.
    const asyncContext = captureContext();
    const permissions = this.#permissionsOf(request, asked, asyncContext);
    const candidate = { exchange, asked, permissions, sourceOptions, asyncContext, slot, revoked: false };
    if (asked.options.key !== undefined) this.#candidates.add(candidate);
    return candidate;
  }

  #permissionsOf(request: RequestLike, { options }: Subscribing, asyncContext: CapturedContext): Permissions {
    const { authorize, limits, onError } = this.#context;
    if (authorize === undefined || isPreauthorized(options)) return allPermissions;
    return new AskedPermissions({ authorize, limits, onError }, request, asyncContext);
  }

  #dismiss(candidate: Candidate): void {
    this.#candidates.delete(candidate);
    candidate.slot.release();
  }

  /**
   * Runs without waiting for anything, so that the opening and the first events leave in one write.
   *
   * @param decision `null` when the client has left. Its stream is made nevertheless, closed from the start, because
   * the application expects a source and would treat anything else as a rejection.
   */
  #answer(candidate: Candidate, decision: Decision | null): Stream | null {
    const { request, sink } = candidate.exchange;
    // The hub may have closed, or the key been revoked, while the request was pending.
    const early = this.rejectedSince(candidate) ?? decision?.early ?? headResponse(request, candidate.sourceOptions);
    if (early !== null) sink.refuse(early);
    const stream = early === null ? openStream(candidate) : null;
    const { asked = candidate.asked, origin } = decision ?? {};
    if (stream === null || stream.closeReason !== null || origin === undefined) candidate.slot.release();
    else this.#context.subscribe({ candidate, asked, stream, origin });
    return stream;
  }

  /**
   * The rest of {@link openNow}. Until the decision, an observer releases the slot of a client that leaves; from then on the
   * subscription does. Both changes happen in one tick, so the slot always has exactly one owner.
   */
  async #subscribeLater(stream: Stream, candidate: Candidate, permission: Permission): Promise<void> {
    const observer = { onClose: () => this.#dismiss(candidate) };
    stream.observe(observer);
    try {
      const { early, origin, asked = candidate.asked } = await decide(this.#context, this, candidate, permission);
      if (stream.closeReason !== null) return;
      // With an origin, `early` is 204: too late for that. The subscription finds the ends itself, and closes the stream.
      const rejected = this.rejectedSince(candidate) ?? (origin === undefined ? early : null) ?? null;
      if (rejected === null && origin !== undefined) {
        this.#candidates.delete(candidate);
        stream.unobserve(observer);
        this.#context.subscribe({ candidate, asked, stream, origin });
      } else if (rejected !== null) {
        stream.write(Frame.of(farewell(rejected, candidate.asked.options)));
        void stream.close(rejected.reason);
      }
    } catch (error) {
      this.#context.onError(error, { stage: "replay" });
      void stream.close("error");
    }
  }

  /** A slot, or the response that rejects the request. */
  #acquireSlot(
    { request, sink }: Exchange,
    { selection, options }: Subscribing,
    sourceOptions: ResolvedOptions,
  ): EarlyResponse | Slot {
    if (!this.isOpen) return retryLater(request, sourceOptions, "draining");
    if (sink.crowdedOut) return retryLater(request, sourceOptions, "pipelined");
    const { limits, counters } = this.#context;
    const isOverLimit = selection.channels.length + selection.prefixes.length > limits.channels;
    const slot = isOverLimit ? "channels" : this.#slots.acquire(options.key);
    if (slot instanceof Slot) return slot;
    counters.countRefused(slot);
    return retryLater(request, sourceOptions, slot);
  }

  // --- Gate ---

  rejectedSince({ exchange: { request }, sourceOptions, revoked }: Candidate): EarlyResponse | null {
    if (!this.isOpen) return retryLater(request, sourceOptions, "draining");
    return revoked ? retryLater(request, sourceOptions, "revoked") : null;
  }

  #optionsFor(options: SubscribeOptions, selection?: ChannelSelection): ResolvedOptions {
    const { sourceOptions, compression } = this.#context;
    const compress = selection === undefined ? false : compression.find(selection, options);
    const { headers, cors, label = false, control } = options;
    // To a client of another protocol, a stream that ends would be an empty answer.
    const { rejectOverload = control !== undefined } = options;
    if (headers === undefined && cors === undefined && !rejectOverload && !label && !compress) {
      return sourceOptions;
    }
    // The client of a labeled stream decides how many channels it asks for together.
    const maxChannels = label ? this.#context.limits.channels : Number.POSITIVE_INFINITY;
    return { ...sourceOptions, headers, cors, rejectOverload, maxChannels, compress };
  }
}

function openStream({ exchange, sourceOptions, asyncContext }: Candidate): Stream {
  return new Stream(exchange, sourceOptions, asyncContext);
}

/** A request that has got its stream. */
export interface Admitted {
  readonly candidate: Candidate;
  /** The request with the channels that it may have. */
  readonly asked: Subscribing;
  readonly stream: Stream;
  readonly origin: Origin;
}

/** The parts of the hub that admission uses. */
export interface AdmissionContext
  extends DecisionContext,
    Pick<ResolvedHubOptions, "authorize" | "limits" | "onError" | "sourceOptions"> {
  readonly counters: Counters;
  readonly compression: CompressionGroups;
  /** Called in the tick in which a stream is opened. */
  subscribe(admitted: Admitted): void;
}
