// The sink for a response of `node:http` or `node:http2`.
import { type OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import { unrefTimeout } from "../base/clock.ts";
import type { EarlyResponse } from "../http/early-response.ts";
import type { HeaderFields, HeaderOverrides } from "../http/headers.ts";
import type { Frame } from "../wire/frame.ts";
import { BufferingMiddlewareCheck, warnEndedByOthers } from "./node-diagnostics.ts";
import { directSocket, freeDescriptor, writeChunk } from "./node-direct.ts";
import { flushNodeAtEndOfTick, type PrefetchableSink } from "./node-flush.ts";
import { type HeaderSource, Sink, type SinkOwner } from "./sink.ts";

/** The response of `node:http`, of `node:http2`, or of a framework that extends one of them. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** How long a client that does not read may keep the end of its stream; then its connection is destroyed. */
const closeLingerMs = 10_000;

/**
 * Bytes out through a response of Node. Where nothing stands between the response and its socket, frames go to the socket
 * as prepared chunks, without a copy or a call in between; everywhere else through `write()`.
 */
export class NodeSink extends Sink implements PrefetchableSink {
  readonly #response: NodeResponse;
  /** The response is of HTTP/1.1 in chunks, and the application lets us pass by it. */
  #fastWrite: boolean;
  /** The header has left. */
  #headSent = false;
  /** Whoever we wait for, socket or response, to have room. */
  #blockedBy: NodeResponse | Socket | null = null;
  /** The connection on which the response waits behind another one. */
  #pipelinedSocket: Socket | null = null;
  #bufferingCheck: BufferingMiddlewareCheck | null = null;
  readonly #onGone = (): void => {
    if (this.owner !== null && this.#response.writableEnded) warnEndedByOthers(this.owner.path);
    this.owner?.onGone();
  };
  #listensForDrain = false;
  readonly #onDrain = (): void => {
    if (this.#blockedBy === null) return;
    this.#blockedBy = null;
    this.resume();
  };

  constructor(response: NodeResponse, direct: boolean) {
    super();
    this.#response = response;
    this.#fastWrite = direct;
  }

  get gone(): boolean {
    const response = this.#response;
    if (response instanceof ServerResponse) return response.destroyed || response.req?.socket?.destroyed === true;
    return response.stream === undefined || response.stream.destroyed;
  }

  onceGone(callback: () => void): () => void {
    this.#response.once("close", callback);
    return () => this.#response.removeListener("close", callback);
  }

  override get progressMark(): number {
    return this.bufferedAmount + unsentBytes(this.#response);
  }

  start(owner: SinkOwner, opening: Frame, headers: HeaderSource): void {
    this.owner = owner;
    const response = this.#response;
    const header = headers(presetHeaders(response));
    for (const name of response.getHeaderNames()) {
      if (!header.has(name)) response.removeHeader(name);
    }
    this.#bufferingCheck = BufferingMiddlewareCheck.of(response, owner);
    writeHead(response, 200, header);
    // Node holds the header back until the first write: it leaves with the opening and the first events, in one packet.
    this.write(opening);
    // The end of the response, not of the request, which comes when a body has been read.
    response.on("close", this.#onGone);
    response.on("error", this.#onGone);
    // Node 22 does not tell a response in the queue when its connection goes.
    if (response instanceof ServerResponse && response.socket === null)
      this.#pipelinedSocket = response.req?.socket ?? null;
    this.#pipelinedSocket?.on("close", this.#onGone);
    this.#fastWrite &&= response instanceof ServerResponse && response.chunkedEncoding;
  }

  refuse(answer: EarlyResponse): void {
    writeHead(this.#response, answer.status, answer.headers);
    if (answer.body === null) this.#response.end();
    else this.#response.end(answer.body);
  }

  end(): Promise<void> {
    const { pending } = this;
    this.#release();
    const response = this.#response;
    if (response.destroyed) return Promise.resolve();
    const socket = response instanceof ServerResponse ? response.socket : null;
    return new Promise((resolve) => {
      const linger = new Linger(this, response);
      const ended = (): void => {
        linger.stop();
        closeWithServer(socket);
        resolve();
      };
      response.once("finish", ended);
      response.once("close", ended);
      try {
        if (pending !== null) write(response, pending.bytes);
        response.end();
      } catch {
        // A middleware that fails takes its response with it, and nothing else.
        response.destroy();
      }
    });
  }

  abort(): void {
    this.#release();
    const response = this.#response;
    // One that the application has ended itself may still have bytes under way.
    if (!response.destroyed && !response.writableEnded) response.destroy();
  }

  /** See {@link PrefetchableSink}. */
  prefetch(): number {
    const socket = this.#directSocket();
    return socket === null ? 0 : freeDescriptor(socket);
  }

  protected override schedule(): void {
    flushNodeAtEndOfTick(this);
  }

  protected get queued(): number {
    return this.#response.writableLength;
  }

  protected get blocked(): boolean {
    return this.#blockedBy !== null;
  }

  protected send(frame: Frame): boolean {
    if (this.#blockedBy !== null) return false;
    const socket = this.#directSocket();
    this.#headSent = true;
    const flowing = socket === null ? write(this.#response, frame.bytes) : writeChunk(socket, frame.chunk(toBuffer));
    if (!flowing) this.#waitFor(socket ?? this.#response);
    return true;
  }

  /** The socket, where the response may be passed by now. */
  #directSocket(): Socket | null {
    return this.#fastWrite && this.#headSent ? directSocket(this.#response as ServerResponse) : null;
  }

  #waitFor(full: NodeResponse | Socket): void {
    this.#blockedBy = full;
    if (full !== this.#response) full.once("drain", this.#onDrain);
    // Compressing middleware moves the listener to a stream of its own, where it cannot be removed: one, for good.
    else if (!this.#listensForDrain) {
      this.#listensForDrain = true;
      full.on("drain", this.#onDrain);
    }
  }

  #release(): void {
    this.owner = null;
    this.pending = null;
    this.#blockedBy?.removeListener("drain", this.#onDrain);
    this.#blockedBy = null;
    this.#pipelinedSocket?.removeListener("close", this.#onGone);
    this.#pipelinedSocket = null;
    this.#bufferingCheck?.stop();
  }
}

/** Destroys the connection of a client that has stopped reading, once a stream has ended; one that reads on may take its time. */
class Linger {
  readonly #sink: Sink;
  readonly #response: NodeResponse;
  #mark = -1;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(sink: Sink, response: NodeResponse) {
    this.#sink = sink;
    this.#response = response;
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#mark = this.#sink.progressMark;
    this.#timer = unrefTimeout(() => {
      if (this.#sink.progressMark === this.#mark) this.#response.destroy();
      else this.#wait();
    }, closeLingerMs);
  }
}

/**
 * Bytes that the system has not taken yet, as far as Node shows. `writableLength` counts a chunk as waiting until all of it
 * is sent, so a reader that takes a megabyte slowly would seem to have stopped. Node's own inactivity timeout looks at the
 * handle too (lib/net.js, `Socket.prototype._onTimeout`).
 */
function unsentBytes(response: NodeResponse): number {
  if (response instanceof ServerResponse) return queueSize(response.socket);
  // On HTTP/2 the window shrinks as bytes are sent, and grows as the client reads.
  return response.stream?.session?.state.remoteWindowSize ?? 0;
}

function queueSize(socket: Socket | null): number {
  return (socket as { _handle?: { writeQueueSize?: number } | null } | null)?._handle?.writeQueueSize ?? 0;
}

/** A server that was closed waits for its connections: one that is kept for a next request would hold it up for seconds. */
function closeWithServer(socket: Socket | null): void {
  const { server } = (socket ?? {}) as { server?: { listening?: boolean } };
  if (server?.listening === false) socket?.destroySoon();
}

/** A socket would make a Buffer of any other array, each time. */
function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What is in the way on HTTP/2, where connections are not the response's business (RFC 9113, section 8.2.2). */
const http1OnlyHeaders = ["connection", "keep-alive", "transfer-encoding"];

function writeHead(response: NodeResponse, status: number, headers: HeaderFields): void {
  const isHttp2 = !(response instanceof ServerResponse);
  if (!isHttp2 && response.getHeaderNames().length === 0) {
    // With nothing to merge, the response does not keep the header, which would take half a kilobyte per connection. An
    // object, because middleware that wraps writeHead() does not always know the flat array (on-headers before 1.1 sends
    // the first two letters of each name as a header).
    response.writeHead(status, Object.fromEntries(headers) as OutgoingHttpHeaders);
    return;
  }
  // A middleware that expects a body of known length may have set it.
  if (response.hasHeader("content-length")) response.removeHeader("content-length");
  for (const [name, value] of headers) {
    if (!(isHttp2 && http1OnlyHeaders.includes(name))) response.setHeader(name, value as string | string[]);
  }
  (response as ServerResponse).writeHead(status);
}

/** What was set on the response before it was opened, by the application or its middleware. */
function presetHeaders(response: NodeResponse): HeaderOverrides | undefined {
  if (response.getHeaderNames().length === 0) return undefined;
  const preset = Object.entries(response.getHeaders()).filter(
    ([name, value]) => name !== "content-type" || String(value).startsWith("text/event-stream"),
  );
  return Object.fromEntries(preset) as Record<string, string | number | string[]>;
}

/**
 * Compressing middleware puts a `flush` of its own on the response and holds back what is not flushed. Other middleware
 * forgets to return what `write()` does.
 */
function write(response: NodeResponse, bytes: Uint8Array): boolean {
  const flowing = (response.write as (chunk: Uint8Array) => boolean | undefined).call(response, bytes);
  if (Object.hasOwn(response, "flush")) (response as unknown as { flush(): void }).flush();
  return flowing ?? !response.writableNeedDrain;
}
