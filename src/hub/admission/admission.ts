import { captureContext } from "../../base/async-context.ts";
import { type EarlyResponse, earlyResponse, giveUp, headResponse, retryLater } from "../../http/early-response.ts";
import { type RequestLike, readLastEventId } from "../../http/request.ts";
import type { CompleteLog } from "../../log/complete.ts";
import type { ChannelSelection } from "../../log/log.ts";
import type { Exchange } from "../../sinks/exchange.ts";
import type { Sink } from "../../sinks/sink.ts";
import type { ResolvedOptions } from "../../source/options.ts";
import { Stream } from "../../source/stream.ts";
import { parseCursor } from "../../wire/cursor.ts";
import type { SubscribeOptions } from "../options.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import type { Counters } from "../stats.ts";
import { hasSeenAllEnds } from "./ended-channels.ts";
import { Permissions } from "./permissions.ts";
import { ConnectionSlots } from "./slots.ts";

/** What admission needs of its hub. */
export interface AdmissionContext
  extends Pick<ResolvedHubOptions, "authorize" | "limits" | "onError" | "sourceOptions"> {
  readonly log: CompleteLog;
  readonly counters: Counters;
  /** Called in the moment in which a stream is opened. */
  subscribe(admitted: Admitted): void;
}

/** A request that has got its stream. */
export interface Admitted {
  readonly stream: Stream;
  readonly request: RequestLike;
  readonly selection: ChannelSelection;
  readonly options: SubscribeOptions;
  readonly permissions: Permissions;
  /** Gives its place back. */
  leave(): void;
}

/** A request of which it is not known yet whether it gets a stream. */
interface Candidate extends Pick<Admitted, "request" | "selection" | "options" | "permissions"> {
  readonly sink: Sink;
  readonly sourceOptions: ResolvedOptions;
  revoked: boolean;
}

/** Who gets a stream, and what the others are answered. */
export class Admission {
  readonly #context: AdmissionContext;
  readonly #slots: ConnectionSlots;
  readonly #candidates = new Set<Candidate>();
  #isOpen = true;

  constructor(context: AdmissionContext) {
    this.#context = context;
    this.#slots = new ConnectionSlots(context.limits);
  }

  /** How many have a place. */
  get connections(): number {
    return this.#slots.total;
  }

  /** From now on everybody is turned away. */
  close(): void {
    this.#isOpen = false;
  }

  /** Those with this key whose answer is still being found out do not get a stream. */
  revoke(key: string): void {
    for (const candidate of this.#candidates) if (candidate.options.key === key) candidate.revoked = true;
  }

  /**
   * Opens a stream, closed already where the client has left meanwhile; `null` where the request was answered with something
   * else.
   *
   * @throws {SourcecastTypeError} for headers that cannot be sent, with nothing sent.
   */
  async open(exchange: Exchange, selection: ChannelSelection, options: SubscribeOptions): Promise<Stream | null> {
    const { subscribe } = this.#context;
    const { request, sink } = exchange;
    const sourceOptions = this.#optionsFor(options);
    // Callbacks for this connection run in the context of its request, whoever causes them.
    const asyncContext = captureContext();
    const permissions = new Permissions(this.#context, request, asyncContext);
    const candidate = { request, sink, selection, options, permissions, sourceOptions, revoked: false };
    const place = earlyResponse(request, sourceOptions) ?? this.#acquireSlot(candidate);
    if (typeof place !== "function") {
      sink.refuse(place);
      return null;
    }
    // HEAD is answered as GET would be, and opens nothing that would keep the slot.
    if (request.method === "HEAD") place();
    this.#candidates.add(candidate);
    const departure = new Departure(sink);
    try {
      // A client that leaves in between frees its slot at once, however long the application takes.
      const refusal = await Promise.race([this.#refusal(candidate), departure.gone]);
      // The hub may have closed, or the key been revoked, while authorize() was pending.
      const answer = this.#turnedAwayMeanwhile(candidate) ?? refusal ?? headResponse(request, sourceOptions);
      if (answer !== null) sink.refuse(answer);
      const stream = answer === null ? new Stream(exchange, sourceOptions, asyncContext) : null;
      if (stream === null || stream.closeReason !== null) place();
      else subscribe({ stream, request, selection, options, permissions, leave: place });
      return stream;
    } catch (error) {
      place();
      throw error;
    } finally {
      departure.forget();
      this.#candidates.delete(candidate);
    }
  }

  /** A place among the connections, as what gives it back; or the answer that turns the request away. */
  #acquireSlot({ request, sink, selection, options, sourceOptions }: Candidate): EarlyResponse | (() => void) {
    if (!this.#isOpen) return retryLater(request, sourceOptions, "draining");
    if (sink.crowdedOut) return retryLater(request, sourceOptions, "pipelined");
    const { limits, counters } = this.#context;
    const tooMany = selection.channels.length + selection.prefixes.length > limits.channels;
    const place = tooMany ? "channels" : this.#slots.acquire(options.key);
    if (typeof place === "function") return place;
    counters.countRefused(place);
    return retryLater(request, sourceOptions, place);
  }

  /** The answer to one who may not follow, or for whom nothing will follow; `null` for one who gets a stream. */
  async #refusal({
    request,
    selection,
    options,
    permissions,
    sourceOptions,
  }: Candidate): Promise<EarlyResponse | null> {
    const { log, counters, onError } = this.#context;
    const allowed = await permissions.reauthorize(options.channels);
    if (allowed !== true) {
      counters.countRefused("authorize");
      // A 403 keeps a native client away for good, which a failure on this side is no reason for.
      if (allowed === null) return retryLater(request, sourceOptions, "error");
      return giveUp(request, sourceOptions, 403, "forbidden");
    }
    try {
      const over = await hasSeenAllEnds(log, parseCursor(readLastEventId(request)), selection);
      return over ? giveUp(request, sourceOptions, 204, "ended") : null;
    } catch (error) {
      onError(error, { stage: "replay" });
      return retryLater(request, sourceOptions, "error");
    }
  }

  #turnedAwayMeanwhile({ request, sourceOptions, revoked }: Candidate): EarlyResponse | null {
    if (!this.#isOpen) return retryLater(request, sourceOptions, "draining");
    return revoked ? retryLater(request, sourceOptions, "revoked") : null;
  }

  #optionsFor(options: SubscribeOptions): ResolvedOptions {
    const { sourceOptions } = this.#context;
    const { headers, cors, rejectOverload = false } = options;
    if (headers === undefined && cors === undefined && !rejectOverload) return sourceOptions;
    return { ...sourceOptions, headers, cors, rejectOverload };
  }
}

/** Whether a client leaves before its stream is open. */
class Departure {
  /** Resolves when the client has left. */
  readonly gone: Promise<null>;
  forget: () => void = () => {};

  constructor(sink: Sink) {
    this.gone = new Promise((resolve) => {
      this.forget = sink.onceGone(() => resolve(null));
    });
  }
}
