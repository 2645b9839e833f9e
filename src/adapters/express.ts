// sourcecast/express: a manager of event streams, by the ids of the users that opened them. It is built on a hub.
import { OverloadError } from "../base/errors.ts";
import { aCount, aDuration, allow, checkOptions, type OptionChecks } from "../base/options.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import { badRequest } from "../http/early-response.ts";
import { streamMethods } from "../http/request.ts";
import type { Channel } from "../hub/channel.ts";
import { createHub, type Hub } from "../hub/hub.ts";
import { reportError, safely } from "../hub/lifetime/report.ts";
import { hubChecks, subscribeChecks } from "../hub/option-checks.ts";
import type { HubOptions, OnError, SubscribeOptions } from "../hub/options.ts";
import type { Exchange } from "../sinks/exchange.ts";
import { assertNodeExchange, type NodeRequest, onNodeExchange } from "../sinks/node-request.ts";
import type { NodeResponse } from "../sinks/node-response.ts";
import type { EventSource } from "../source/source.ts";
import type { DispatchArguments, EventMap, EventType } from "../wire/event-types.ts";
import { channelOf, everyoneChannel } from "./express/channels.ts";
import { ManagedConnection, ManagedConnections } from "./express/connections.ts";
import { overloadHandler } from "./express/overload.ts";
import { keepStreamOfTsRest } from "./express/ts-rest.ts";

export type { NodeRequest, NodeResponse };
export { OverloadError, overloadHandler };

/** The options of {@link createSSE}, in addition to those of a hub. */
export interface SSEOptions<E extends EventMap = false> extends Omit<HubOptions<E>, "limits"> {
  /** Most connections at the same time. At the limit, `attach` throws; open connections stay. @default no limit */
  connections?: number;
  /** How long a connection may last, less up to a tenth at random. Its client reconnects and misses nothing. @default no limit */
  connectionTimeout?: Duration;
  /** How long a connection may go without an event before it is closed with the reason `idle`. @default no limit */
  idleTimeout?: Duration;
}

/** The options of {@link SSE.attach}. */
export type AttachOptions = Omit<SubscribeOptions, "channels" | "key">;

const { limits: _, ...hubChecksWithoutLimits } = hubChecks;
const managerChecks: OptionChecks<SSEOptions> = {
  ...hubChecksWithoutLimits,
  connections: aCount(0),
  connectionTimeout: aDuration,
  idleTimeout: aDuration,
};

const { channels: _channels, key: _key, ...attachChecks } = subscribeChecks;

const sendChecks: OptionChecks<{ to?: string | undefined }> = {
  to: allow("an id, which is a string that is not empty", (value) => typeof value === "string" && value !== ""),
};

/**
 * Creates a manager of event streams for Express, and for every framework that hands Node's response to a route.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option.
 * @example
 * ```ts
 * import express from "express";
 * import { overloadHandler, createSSE } from "sourcecast/express";
 *
 * const sse = createSSE({ connections: 100, connectionTimeout: "10m" });
 * const app = express();
 * app.get("/events/:user", (req, res) => {
 *   sse.attach(req.params.user, res);
 * });
 * app.use(overloadHandler);
 *
 * sse.send("message", { id: "1", message: "Hello, world!" });
 * ```
 */
export function createSSE<E extends EventMap = false>(options: SSEOptions<E> = {}): SSE<E> {
  return new SSE<E>(options);
}

/**
 * Event streams by the id of the user that opened them. A user may have several at the same time, such as one for each
 * tab. Every event has an id, so a client that reconnects receives the events that it missed.
 */
export class SSE<E extends EventMap = false> {
  /** The hub that the streams are subscriptions of: for `drain()`, `stats()`, `close()`. */
  readonly hub: Hub<E>;
  readonly #connections: ManagedConnections;
  readonly #most: number;
  readonly #onError: OnError;

  /** @internal Use {@link createSSE}. */
  constructor(given: SSEOptions<E>) {
    checkOptions(given, managerChecks, "createSSE()");
    const { connections, connectionTimeout, idleTimeout, ...options } = given;
    this.#most = connections ?? Number.POSITIVE_INFINITY;
    const idle = idleTimeout === undefined ? Number.POSITIVE_INFINITY : milliseconds(idleTimeout, "idleTimeout");
    this.#connections = new ManagedConnections(idle);
    this.#onError = safely(options.onError ?? reportError);
    const limits =
      connectionTimeout === undefined ? {} : { maxLifetime: milliseconds(connectionTimeout, "connectionTimeout") };
    this.hub = createHub<E>({ ...options, limits });
  }

  /** The number of connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** Whether the id has a connection. */
  has(id: string): boolean {
    return this.#connections.of(id).length > 0;
  }

  /**
   * Opens a stream on a response, in addition to those that the id may have already. The stream is open when `attach`
   * returns, whatever the handler does after that. The handler returns nothing.
   *
   * `authorize` is called before. If it returns at once, a client that it rejects gets 403. If it returns a promise,
   * the stream opens before the promise settles, and a rejection ends the stream with `sse:end`.
   *
   * @param id Any string that is not empty. For any other value, the request is answered with 400 and `onError` is called.
   * @returns The source, or `null` if the request got another response.
   * @throws {OverloadError} `ERR_SSE_LIMIT` at the limit `connections`. See {@link overloadHandler}.
   * @throws {SourcecastTypeError} `ERR_SSE_RESPONSE_USED` for a response that was sent already, `ERR_SSE_OPTION` for an
   * invalid option, `ERR_SSE_ARGUMENT` for anything but Node's response. After each of these errors, you still have to
   * respond.
   */
  attach(id: string, res: NodeResponse, options: AttachOptions = {}): EventSource | null {
    checkOptions(options, attachChecks, "attach()");
    assertNodeExchange("attach", res?.req, res);
    const { req } = res;
    if (this.size >= this.#most && streamMethods.includes(req.method ?? "GET")) {
      throw new OverloadError(`There are ${this.size} connections, as many as the option connections allows`);
    }
    const source = onNodeExchange("attach", req, res, true, (exchange) => this.#open(id, exchange, options));
    keepStreamOfTsRest(req, res);
    return source;
  }

  /**
   * Sends an event to everyone, or to all connections of one id. Data that is `undefined` is not sent.
   *
   * @param event `undefined` stands for `"message"`.
   * @returns The id that clients receive with it, or `null` if nothing was sent. A failure is reported to `onError` as well, so
   * a promise that is not awaited does not end the process.
   */
  send<T extends EventType<E>>(
    event: T | undefined,
    ...rest: DispatchArguments<E, T, { to?: string | undefined }>
  ): Promise<string | null>;
  send(event = "message", data?: unknown, options?: { to?: string | undefined }): Promise<string | null> {
    checkOptions(options, sendChecks, "send()");
    if (data === undefined) return Promise.resolve(null);
    const channel = this.hub.channel(options?.to === undefined ? everyoneChannel : channelOf(options.to));
    const sent = (channel as Channel).dispatch(event, data);
    sent.catch((error) => this.#onError(error, { stage: "publish" }));
    return sent;
  }

  /**
   * Ends all streams of an id. Its clients reconnect, and the route decides whether to attach them again.
   *
   * @returns How many were ended.
   */
  close(id: string): number {
    const connections = this.#connections.of(id);
    for (const connection of connections) this.#connections.end(connection, "closed");
    return connections.length;
  }

  #open(id: string, exchange: Exchange, options: AttachOptions): EventSource | null {
    let channels: string[];
    try {
      channels = [everyoneChannel, channelOf(id)];
    } catch (error) {
      this.#onError(error, { stage: "attach" });
      exchange.sink.refuse(badRequest(exchange.request, options, { message: "The id of this request is not valid" }));
      return null;
    }
    const connection = new ManagedConnection(id);
    const filter = connection.noting(options.filter);
    const source = this.hub.openNow(exchange, { ...options, channels, filter, key: id.toWellFormed() });
    if (source === null || source.closeReason !== null) return source;
    connection.source = source;
    this.#connections.add(connection);
    source.addEventListener("close", () => this.#connections.delete(connection));
    return source;
  }
}
