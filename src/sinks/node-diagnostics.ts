// Misconfigurations of Node's response that raise no error, found and reported on the console.
import { ServerResponse } from "node:http";
import { Socket } from "node:net";
import { now } from "../base/clock.ts";
import { warnOnce } from "../base/warn.ts";
import { type IdleTarget, unwatchIdle, watchIdle } from "./idle-timer.ts";
import type { SinkOwner } from "./sink.ts";

/** When to check whether the first bytes have left. It is checked twice, since the program may have been busy. */
const bufferingCheckMs = 1_000;
/** The most bytes that compression without a flush sends at its start: a chunk with its own header. */
const compressionHeaderBytes = 16;
/** As much of a function's code as a warning quotes. */
const quotedCodeLength = 60;

/**
 * Finds middleware that has replaced `response.write()` and buffers what is written: some seconds after the first bytes,
 * nothing has reached the socket. The warning is printed once per middleware. The timer is that of the keep-alives.
 */
export class BufferingMiddlewareCheck implements IdleTarget {
  readonly idleAfter: number = bufferingCheckMs;
  lastSent: number = now();
  #wasHeld = false;
  readonly #response: ServerResponse;
  readonly #owner: SinkOwner;
  readonly #socket: Socket;
  /** Bytes on the socket before the response: of earlier responses, if the connection was kept alive. */
  readonly #before: number;

  private constructor(response: ServerResponse, socket: Socket, owner: SinkOwner) {
    this.#response = response;
    this.#owner = owner;
    this.#socket = socket;
    this.#before = socket.bytesWritten;
    watchIdle(this);
  }

  /** Watches a response before its first byte is written; `null` if it is not wrapped, or if that cannot be seen. */
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

  /** True if no more has left than a header, and that of a compressed body. */
  #isHeld(): boolean {
    // Node has no public property for the length of the header, which leaves with the first bytes of the body.
    const header = (this.#response as { _header?: string | null })._header?.length ?? 0;
    return this.#socket.bytesWritten - this.#before <= header + compressionHeaderBytes;
  }
}

function warnBuffered(write: unknown, path: string): void {
  const description = describeFunction(write);
  warnOnce(
    description,
    `a middleware buffers what is written to ${path}: nothing has left for the client in ${(2 * bufferingCheckMs) / 1_000} s. ` +
      `It has replaced response.write() with ${description}. Mount it on other routes only, or make it pass on ` +
      "responses of the type text/event-stream as they are written.",
  );
}

/** A function's name and how its code begins: enough to search for. */
function describeFunction(fn: unknown): string {
  const { name } = fn as { name?: string };
  const code = String(fn).replace(/\s+/g, " ");
  const quoted = code.length <= quotedCodeLength ? code : `${code.slice(0, quotedCodeLength - 1)}…`;
  return `${name ? `the function "${name}"` : "a function without a name"}, which begins with ${quoted}`;
}

/** Warns that the response of a source was ended by another caller, most often the framework whose handler returned. */
export function warnEndedByOthers(path: string): void {
  warnOnce(
    "ended",
    `the response for ${path} was ended by a caller other than its EventSource, which owns it. Let the handler return ` +
      "nothing and end nothing; in Koa set ctx.respond = false; to end the stream call close() of the source.",
  );
}
