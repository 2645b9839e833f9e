// Frames written to the descriptor of a socket, past Node's streams, if the bytes are the same. Why that is safe:
// 1. Order: it happens only while nothing waits in Node for the socket. The rest goes through the socket.
// 2. Waiting: Node's sockets are non-blocking, so writeSync() takes as much as fits or fails with EAGAIN at once.
// 3. Identity: the descriptor is read from the socket's handle for each write, in the same synchronous step. A closed socket
//    has no handle, so a descriptor that the system has given to another file is never written to.
// 4. Others: middleware, agents, TLS or a subclass that has a part in writing replaces a method or the class; see the checks.
// 5. Fallback: any doubt, and any runtime without a descriptor, leads to Node's own way. `fastWrite: false` does so always.
import { writeSync } from "node:fs";
import { ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Frame } from "../wire/frame.ts";

/** A replay of this many bytes is not copied for each client, but written after its opening. */
const leastSharedBytes = 2 * 1024;

const { write: responseWrite, flushHeaders } = ServerResponse.prototype;
const { write: socketWrite, _write: socketSend } = Socket.prototype;
// Node (22, 24 and 26) defines both on a class above: an agent that was loaded before this module has replaced them.
const isReplaced: boolean =
  Object.hasOwn(ServerResponse.prototype, "write") || Object.hasOwn(Socket.prototype, "write");

/** The socket of a response, if a chunk of HTTP/1.1 that is written to it now is the same as `write()` on the response. */
export function directSocket(response: ServerResponse): Socket | null {
  const { socket } = response;
  // Middleware may have replaced a method. A response buffers while it has no socket or is corked.
  const isSame =
    socket !== null &&
    response.write === responseWrite &&
    response.flushHeaders === flushHeaders &&
    socket.write === socketWrite &&
    !isReplaced &&
    response.writableCorked === 0 &&
    !response.writableEnded;
  return isSame ? socket : null;
}

/**
 * Writes the header of a response and the first frame of its body in one call of the system, with the return value of
 * `socket.write()`. `response.write()` calls the system in a later tick, and takes four writes of the socket for a chunk.
 */
export function writeFirst(response: ServerResponse, socket: Socket, frame: Frame): boolean {
  let isFlowing = true;
  socket.cork();
  response.flushHeaders();
  for (const part of frame.parts(leastSharedBytes)) isFlowing = socket.write(part.chunk(toBuffer));
  socket.uncork();
  return isFlowing;
}

/**
 * Writes a frame to a socket, with the return value of `socket.write()`. If nothing waits in Node, it calls the system with
 * the socket's descriptor: Node's own way from there costs as much as the rest of a delivery. `socket.write()` takes the bytes
 * that the system does not, and waits for room.
 */
export function writeFrame(socket: Socket, frame: Frame): boolean {
  const chunk = frame.chunk(toBuffer);
  const descriptor = freeDescriptor(socket);
  if (descriptor < 0) return socket.write(chunk);
  const taken = tryWrite(descriptor, chunk);
  return taken === chunk.length || socket.write(taken === 0 ? chunk : chunk.subarray(taken));
}

/** The descriptor of a socket that has nothing of its own to do for a write, or -1. */
export function freeDescriptor(socket: Socket): number {
  const isFree =
    // Bytes that wait would be overtaken.
    socket.writableLength === 0 &&
    // Every write restarts an inactivity timer.
    !socket.timeout &&
    // Anything but plain TCP or a pipe, such as TLS, has a class or a `_write` of its own.
    socket.constructor === Socket &&
    socket._write === socketSend;
  // There is no public way to it. On Windows `fd` is -1: libuv has no descriptor there
  // (https://github.com/nodejs/node/blob/v24.x/src/stream_wrap.cc, `LibuvStreamWrap::GetFD`).
  return (isFree && (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd) || -1;
}

/** How many bytes the system took, without waiting for it. */
function tryWrite(descriptor: number, chunk: Buffer): number {
  try {
    return writeSync(descriptor, chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}

/** A socket would make a Buffer of any other array, on each write. */
function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
