import { Connection } from "../../connection.ts";
import type { Log, Selection } from "../../logs/log.ts";
import type { ResolvedOptions } from "../../options.ts";
import { type Answer, refuse, sendAway, streamHeaders, turnAway } from "../../refusal.ts";
import { type RequestLike, readLastEventId } from "../../request.ts";
import type { Sink } from "../../sinks/sink.ts";
import { EventSource } from "../../source.ts";
import { parseCursor } from "../cursor.ts";
import { isOver } from "../ends.ts";
import type { SubscribeOptions } from "../options.ts";
import type { HubSettings } from "../settings.ts";
import type { Counters } from "../stats.ts";
import { Places } from "./limits.ts";
import { Permissions } from "./permissions.ts";

/** What admission needs of its hub. */
export interface AdmissionContext extends Pick<HubSettings, "authorize" | "limits" | "onError" | "sourceOptions"> {
  readonly log: Log;
  readonly counters: Counters;
  /** Called in the moment in which a stream is opened. */
  subscribe(admitted: Admitted): void;
}

/** A request that has got its stream. */
export interface Admitted {
  readonly source: EventSource;
  readonly request: RequestLike;
  readonly selection: Selection;
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
  readonly #places: Places;
  readonly #candidates = new Set<Candidate>();
  #isOpen = true;

  constructor(context: AdmissionContext) {
    this.#context = context;
    this.#places = new Places(context.limits);
  }

  /** How many have a place. */
  get connections(): number {
    return this.#places.total;
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
  async open(
    { request, sink }: Connection,
    selection: Selection,
    options: SubscribeOptions,
  ): Promise<EventSource | null> {
    const { authorize, onError, subscribe } = this.#context;
    const sourceOptions = this.#optionsFor(request, options);
    const permissions = new Permissions(authorize, request, onError);
    const candidate = { request, sink, selection, options, permissions, sourceOptions, revoked: false };
    const place = refuse(request, sourceOptions) ?? this.#takePlace(candidate);
    if (typeof place !== "function") {
      sink.refuse(place);
      return null;
    }
    this.#candidates.add(candidate);
    try {
      const refusal = await this.#refusal(candidate);
      // What was asked may have taken its time, and not know yet what has happened meanwhile.
      const answer = this.#turnedAwayMeanwhile(candidate) ?? refusal;
      if (answer !== null) sink.refuse(answer);
      const source = answer === null ? new EventSource(new Connection(request, sink, sourceOptions)) : null;
      if (source === null || source.closeReason !== null) place();
      else subscribe({ source, request, selection, options, permissions, leave: place });
      return source;
    } catch (error) {
      place();
      throw error;
    } finally {
      this.#candidates.delete(candidate);
    }
  }

  /** A place among the connections, as what gives it back; or the answer that turns the request away. */
  #takePlace({ request, selection, options, sourceOptions }: Candidate): Answer | (() => void) {
    if (!this.#isOpen) return turnAway(request, sourceOptions, "draining");
    const { limits, counters } = this.#context;
    const tooMany = selection.channels.length + selection.prefixes.length > limits.channels;
    const place = tooMany ? "channels" : this.#places.take(options.key);
    if (typeof place === "function") return place;
    counters.countRefused(place);
    return turnAway(request, sourceOptions, place);
  }

  /** The answer to one who may not follow, or for whom nothing will follow; `null` for one who gets a stream. */
  async #refusal({ request, selection, options, permissions, sourceOptions }: Candidate): Promise<Answer | null> {
    const { log, counters, onError } = this.#context;
    const allowed = await permissions.renew(options.channels);
    if (allowed !== true) {
      counters.countRefused("authorize");
      // A 403 keeps a native client away for good, which a failure on this side is no reason for.
      if (allowed === null) return turnAway(request, sourceOptions, "error");
      return sendAway(request, sourceOptions, 403, "forbidden");
    }
    try {
      const over = await isOver(log, parseCursor(readLastEventId(request)), selection);
      return over ? sendAway(request, sourceOptions, 204, "ended") : null;
    } catch (error) {
      onError(error, { stage: "replay" });
      return turnAway(request, sourceOptions, "error");
    }
  }

  #turnedAwayMeanwhile({ request, sourceOptions, revoked }: Candidate): Answer | null {
    if (!this.#isOpen) return turnAway(request, sourceOptions, "draining");
    return revoked ? turnAway(request, sourceOptions, "revoked") : null;
  }

  #optionsFor(request: RequestLike, options: SubscribeOptions): ResolvedOptions {
    const { sourceOptions } = this.#context;
    const { headers, cors, rejectOverload = false } = options;
    if (headers === undefined && cors === undefined && !rejectOverload) return sourceOptions;
    const changed = { ...sourceOptions, headers, cors, rejectOverload };
    // What cannot be sent is refused before anybody is connected.
    streamHeaders(request, changed);
    return changed;
  }
}
