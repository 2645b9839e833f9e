// The sink for a response of `node:http` or `node:http2`.
import { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { EarlyResponse } from "../http/early-response.ts";
import type { Frame } from "../wire/frame.ts";
import { BufferingMiddlewareCheck, warnEndedByOthers } from "./node-diagnostics.ts";
import { directSocket, freeDescriptor, writeFirst, writeFrame } from "./node-direct.ts";
import { flushNodeAtEndOfTick, type PrefetchableSink } from "./node-flush.ts";
import { Linger } from "./node-linger.ts";
import { enqueue, isQueued, type QueuedSink } from "./node-pipeline.ts";
import { flattenHeader, type NodeResponse, presetHeaders, unsentBytes, write, writeHead } from "./node-response.ts";
import { connectionOf, endWithServer, noteServer } from "./node-server.ts";
import { type HeaderSource, Sink, type SinkOwner } from "./sink.ts";

/**
 * A chunk on HTTP/2: Node does not tell how much of one a client has taken, so this is the grain in which a slow reader is
 * seen to make progress. As much as the stream buffers, so writing in slices costs no further wait.
 */
const http2SliceBytes = 16 * 1024;

/**
 * A sink that sends frames to the socket as prepared chunks, without a copy or a stream in between, as long as nothing
 * stands between the response and its socket. Everywhere else it calls `write()` of the response.
 */
export class NodeSink extends Sink implements PrefetchableSink, QueuedSink {
  readonly #response: NodeResponse;
  /** The response is one of HTTP/1.1 in chunks, and the application allows writing past it. */
  #fastWrite: boolean;
  /** Makes the header, as long as that has not been done. */
  #headerSource: HeaderSource | null = null;
  #isHeaderMade = false;
  #headSent = false;
  /** The socket or response that has no room, if any. */
  #blockedBy: NodeResponse | Socket | null = null;
  /** Leaves the queue of a connection on which the response waits for another one. */
  #leaveQueue: (() => void) | null = null;
  #isCrowdedOut = false;
  #onceGone: (() => void) | null = null;
  #bufferingCheck: BufferingMiddlewareCheck | null = null;
  // This sink releases its owner before it ends the response. So one that has ended and still has an owner was ended by
  // another caller.
  readonly #onGone = (): void => {
    this.#onceGone?.();
    this.#onceGone = null;
    if (this.owner !== null && this.#response.writableEnded) warnEndedByOthers(this.owner.path);
    this.owner?.onGone();
  };
  #listensForClose = false;
  #listensForDrain = false;
  /** The slices of a frame that wait for the client to take those before. */
  #rest: Uint8Array | null = null;
  /** Made when the client does not keep up for the first time: most always do. */
  #drainListener: (() => void) | null = null;

  constructor(response: NodeResponse, fastWrite: boolean) {
    super();
    this.#response = response;
    this.#fastWrite = fastWrite;
    if (!isQueued(response)) return;
    this.#leaveQueue = enqueue(response, this);
    this.#isCrowdedOut = this.#leaveQueue === null;
  }

  /** Asks the connection as well: before Node 24, a response that waits in a queue is not destroyed together with it. */
  get gone(): boolean {
    const response = this.#response;
    if (this.#isAnsweredByOthers) return true;
    if (response instanceof ServerResponse) return response.destroyed || response.req?.socket?.destroyed === true;
    return response.stream === undefined || response.stream.destroyed;
  }

  onceGone(callback: () => void): () => void {
    this.#onceGone = callback;
    this.#listenForClose();
    return () => {
      this.#onceGone = null;
    };
  }

  override get progressMark(): number {
    return this.bufferedAmount + unsentBytes(this.#response);
  }

  /** True if too many streams wait on the connection already. */
  override get crowdedOut(): boolean {
    return this.#isCrowdedOut;
  }

  override get canBeCoded(): boolean {
    return this.#headerSource !== null;
  }

  start(owner: SinkOwner, opening: Frame, headers: HeaderSource, isHeaderLate = false): void {
    const response = this.#response;
    this.owner = owner;
    this.#headerSource = headers;
    if (!isHeaderLate) this.makeHeader();
    this.#bufferingCheck = BufferingMiddlewareCheck.of(response, owner);
    // Node holds the header until the first write (https://nodejs.org/api/http.html#responseflushheaders), so it leaves with
    // the opening and the first events in one packet.
    this.write(opening);
    this.#listenForClose();
    response.on("error", this.#onGone);
    noteServer(response);
  }

  protected override makeHeader(): void {
    if (this.#headerSource === null) return;
    const response = this.#response;
    const preset = presetHeaders(response);
    const header = this.#headerSource(preset);
    this.#headerSource = null;
    // An option has removed these by `null`, or they say how long a body is.
    for (const name of preset === undefined ? [] : response.getHeaderNames()) {
      if (!header.has(name)) response.removeHeader(name);
    }
    writeHead(response, 200, header);
    flattenHeader(response);
    this.#isHeaderMade = true;
    this.#fastWrite &&= response instanceof ServerResponse && response.chunkedEncoding;
  }

  /** Sends nothing if the application has answered: a second header would throw. */
  refuse(answer: EarlyResponse): void {
    this.release();
    if (this.#isAnsweredByOthers) return;
    writeHead(this.#response, answer.status, answer.headers);
    if (answer.body === null) this.#response.end();
    else this.#response.end(answer.body);
  }

  /**
   * Pending frames are written even if the socket is full: Node keeps them, and {@link Linger} bounds how long. The promise
   * resolves at the response's `close`, too, since `finish` never comes for a client that has left.
   */
  end(): Promise<void> {
    const response = this.#response;
    if (response.destroyed || this.#isAnsweredByOthers) {
      this.release();
      return Promise.resolve();
    }
    this.makeHeader();
    const last = this.takeLast();
    const rest = this.#rest;
    this.release();
    const connection = connectionOf(response);
    return new Promise((resolve) => {
      const linger = new Linger(this, response);
      const ended = (): void => {
        linger.stop();
        endWithServer(connection);
        resolve();
      };
      response.once("finish", ended);
      response.once("close", ended);
      try {
        if (rest !== null) write(response, rest);
        if (last !== null) write(response, last.bytes);
        response.end();
      } catch {
        // Middleware that throws loses its response, and nothing else.
        response.destroy();
      }
    });
  }

  abort(): void {
    this.release();
    if (this.#isAnsweredByOthers) return;
    const response = this.#response;
    const connection = connectionOf(response);
    // One that the application has ended itself may still have bytes under way.
    if (!response.destroyed && !response.writableEnded) response.destroy();
    endWithServer(connection);
  }

  /** The connection closed before the response had its turn. */
  onConnectionClosed(): void {
    this.#onGone();
  }

  /** See {@link PrefetchableSink}. */
  override prefetch(): number {
    const socket = this.#directSocket();
    return socket === null ? 0 : freeDescriptor(socket);
  }

  protected override schedule(): void {
    flushNodeAtEndOfTick(this);
  }

  protected get queued(): number {
    return this.#response.writableLength + (this.#rest?.length ?? 0);
  }

  protected get blocked(): boolean {
    return this.#blockedBy !== null;
  }

  protected send(frame: Frame): boolean {
    if (this.#blockedBy !== null) return false;
    const isFirst = !this.#headSent;
    this.#headSent = true;
    const socket = this.#directSocket();
    if (socket === null) this.#write(frame.bytes);
    else {
      const hasRoom = isFirst ? writeFirst(this.#response as ServerResponse, socket, frame) : writeFrame(socket, frame);
      if (!hasRoom) this.#waitFor(socket);
    }
    return true;
  }

  /** Writes to the response: the bytes as a whole, or on HTTP/2 the first slices of them, and the rest as the client reads. */
  #write(bytes: Uint8Array): void {
    const response = this.#response;
    const length = response instanceof ServerResponse ? bytes.length : http2SliceBytes;
    let at = 0;
    let isFlowing = true;
    while (isFlowing && at < bytes.length) {
      isFlowing = write(response, length < bytes.length ? bytes.subarray(at, at + length) : bytes);
      at += length;
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : null;
    if (!isFlowing) this.#waitFor(response);
  }

  #tryWrite(bytes: Uint8Array): boolean {
    try {
      this.#write(bytes);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * True if the application or its framework has answered while this sink waited to be started, or to make its header: a
   * handler that throws after it has called `respond()` gets an error page, for example.
   */
  get #isAnsweredByOthers(): boolean {
    const response = this.#response;
    return !this.#isHeaderMade && (response.headersSent || response.writableEnded);
  }

  /** The socket, if frames may be written to it past the response now. */
  #directSocket(): Socket | null {
    return this.#fastWrite && this.#headSent ? directSocket(this.#response as ServerResponse) : null;
  }

  /** Sends nothing until `full` has drained: the frame that filled it was taken whole, and later ones stay with this sink. */
  #waitFor(full: NodeResponse | Socket): void {
    this.#blockedBy = full;
    this.#drainListener ??= () => this.#onDrain();
    if (full !== this.#response) full.once("drain", this.#drainListener);
    // compression 1.x moves the listener to a stream of its own, from which it cannot be removed: add one, once.
    else if (!this.#listensForDrain) {
      this.#listensForDrain = true;
      full.on("drain", this.#drainListener);
    }
  }

  #onDrain(): void {
    if (this.#blockedBy === null) return;
    this.#blockedBy = null;
    const rest = this.#rest;
    if (rest !== null && !this.#tryWrite(rest)) this.owner?.onGone();
    else if (this.#blockedBy === null) this.resume();
  }

  /**
   * The response, not the request, whose "close" comes as soon as its body has been read (since Node 16,
   * https://nodejs.org/api/http.html#event-close_3). One listener, from the first need on until the end.
   */
  #listenForClose(): void {
    if (this.#listensForClose) return;
    this.#listensForClose = true;
    this.#response.on("close", this.#onGone);
  }

  /** Releases the response and its connection. A response that was not started may be the application's again. */
  release(): void {
    if (this.owner === null) this.#response.removeListener("close", this.#onGone);
    this.owner = null;
    this.#onceGone = null;
    this.pending = null;
    this.#rest = null;
    if (this.#drainListener !== null) this.#blockedBy?.removeListener("drain", this.#drainListener);
    this.#blockedBy = null;
    this.#leaveQueue?.();
    this.#leaveQueue = null;
    this.#bufferingCheck?.stop();
  }
}
