import { ServerResponse } from "node:http";
import { Socket } from "node:net";
import { now } from "../base/clock.ts";
import { warnOnce } from "../base/warn.ts";
import { type IdleTarget, unwatchIdle, watchIdle } from "./idle-timer.ts";
import { locationOf } from "./node-location.ts";
import type { SinkOwner } from "./sink.ts";

/** When it is looked whether the first bytes have left, and looked again: until the first the program may have been busy. */
const bufferingCheckMs = 1_000;
/** The most bytes that compression without a flush lets go at its start: its own header, in a chunk. */
const compressionHeaderBytes = 16;

/**
 * Finds a middleware that has put itself before `write()` and holds back what is written: some seconds after the first bytes
 * nothing has reached the socket. It is said once for each. The timer is that of the heartbeats.
 */
export class BufferingMiddlewareCheck implements IdleTarget {
  readonly idleAfter: number = bufferingCheckMs;
  lastSent: number = now();
  #wasHeld = false;
  readonly #response: ServerResponse;
  readonly #owner: SinkOwner;
  readonly #socket: Socket;
  /** Bytes on the socket before the response. */
  readonly #before: number;

  private constructor(response: ServerResponse, socket: Socket, owner: SinkOwner) {
    this.#response = response;
    this.#owner = owner;
    this.#socket = socket;
    this.#before = socket.bytesWritten;
    watchIdle(this);
  }

  /** Watches a response before its first byte is written; `null` where it is not wrapped, or where that cannot be seen. */
  static of(response: object, owner: SinkOwner): BufferingMiddlewareCheck | null {
    if (!(response instanceof ServerResponse) || response.write === ServerResponse.prototype.write) return null;
    const { socket } = response;
    return socket instanceof Socket ? new BufferingMiddlewareCheck(response, socket, owner) : null;
  }

  onIdle(time: number): void {
    const isHeld = this.#isHeld();
    if (isHeld && !this.#wasHeld) {
      this.#wasHeld = true;
      this.lastSent = time;
      return;
    }
    this.stop();
    if (isHeld) warnBuffered(this.#response.write, this.#owner.path);
  }

  stop(): void {
    unwatchIdle(this);
  }

  #isHeld(): boolean {
    // Node has no public word for the length of the header. It leaves with the first bytes of the body.
    const header = (this.#response as { _header?: string | null })._header?.length ?? 0;
    return this.#socket.bytesWritten - this.#before <= header + compressionHeaderBytes;
  }
}

function warnBuffered(write: unknown, path: string): void {
  const place = locationOf(write);
  warnOnce(
    place,
    `a middleware holds back what is written to ${path}: nothing has left for the client in ${(2 * bufferingCheckMs) / 1_000} s. ` +
      `In place of response.write() it has put ${place}. Mount it for other routes alone, or have it pass on ` +
      "responses of the type text/event-stream as they are written.",
  );
}

/** Says that somebody else has ended the response of a source, most often the framework whose handler has returned. */
export function warnEndedByOthers(path: string): void {
  warnOnce(
    "ended",
    `the response for ${path} was ended by somebody else than its EventSource, which it belongs to. Let the handler return ` +
      "nothing and end nothing; in Koa set ctx.respond = false; to end the stream call close() of the source.",
  );
}
