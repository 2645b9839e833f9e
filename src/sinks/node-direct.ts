// Frames written to the descriptor of a socket, past Node's streams, where the bytes are the same.
import { writeSync } from "node:fs";
import { ServerResponse } from "node:http";
import { Socket } from "node:net";

const { write: responseWrite } = ServerResponse.prototype;
const { write: socketWrite, _write: socketSend } = Socket.prototype;

/** The socket of a response, if a chunk of HTTP/1.1 that is written to it now is the same as `write()` on the response. */
export function directSocket(response: ServerResponse): Socket | null {
  const { socket } = response;
  // A middleware may have put itself before write(). A response holds bytes back while it has no socket or is corked.
  const isSame =
    socket !== null &&
    response.write === responseWrite &&
    socket.write === socketWrite &&
    response.writableCorked === 0 &&
    !response.writableEnded;
  return isSame ? socket : null;
}

/**
 * Writes a chunk to a socket as `socket.write()` does, and gives what that gives. Where nothing waits in Node the system is
 * called at once, by the socket's descriptor: Node's own way there costs as much as all that this package does for a
 * delivery. What the system does not take goes through `socket.write()`, which waits for room.
 */
export function writeChunk(socket: Socket, chunk: Buffer): boolean {
  const descriptor = freeDescriptor(socket);
  if (descriptor < 0) return socket.write(chunk);
  const taken = tryWrite(descriptor, chunk);
  return taken === chunk.length || socket.write(taken === 0 ? chunk : chunk.subarray(taken));
}

/** The descriptor of a socket that has nothing of its own to do for a write, else -1. */
export function freeDescriptor(socket: Socket): number {
  const isFree =
    // Bytes that wait would be overtaken.
    socket.writableLength === 0 &&
    // An inactivity timer is set back by every write.
    !socket.timeout &&
    // What is not plain TCP or a pipe, such as TLS, has a class of its own, or a `_write` of its own.
    socket.constructor === Socket &&
    socket._write === socketSend;
  // No public way leads to it. Where there is none, as on Windows, it is -1 or missing.
  return (isFree && (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd) || -1;
}

/** How many bytes the system took. It is never waited for: Node's sockets do not block. */
function tryWrite(descriptor: number, chunk: Buffer): number {
  try {
    return writeSync(descriptor, chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}
