// Responses that wait for their turn on a connection of HTTP/1.1: their client sent further requests before the first
// response was over. After an event stream, they wait until it ends.
import { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { NodeResponse } from "./node-response.ts";

/**
 * How many streams may wait on one connection. No browser sends requests this way, and a proxy or a client that does
 * has no use for more streams. Without a limit, one connection of Node takes 3,048 of them, each of which counts as
 * open.
 */
export const maxQueuedStreams = 16;

/** A sink whose response waits. */
export interface QueuedSink {
  /** Called when the connection closes before the response had its turn. */
  onConnectionClosed(): void;
}

/** The sinks that wait on one connection: one listener for all of them, and none while there are none. */
class Queue extends Set<QueuedSink> {
  readonly #socket: Socket;
  // Before Node 24, a response in the queue emits no "close" when its connection closes.
  readonly #onClose = (): void => {
    for (const sink of this) sink.onConnectionClosed();
  };

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
  }

  override add(sink: QueuedSink): this {
    if (this.size === 0) this.#socket.on("close", this.#onClose);
    return super.add(sink);
  }

  override delete(sink: QueuedSink): boolean {
    const wasThere = super.delete(sink);
    if (wasThere && this.size === 0) this.#socket.removeListener("close", this.#onClose);
    return wasThere;
  }
}

const queues = new WeakMap<Socket, Queue>();

/** True for a response that has to wait for another one: it has no socket, although the connection of its request is alive. */
export function isQueued(response: NodeResponse): response is ServerResponse {
  return response instanceof ServerResponse && response.socket === null && response.req?.socket?.destroyed === false;
}

/** Makes a sink wait for its turn. Returns how it leaves the queue, or `null` if the queue is full. */
export function enqueue(response: ServerResponse, sink: QueuedSink): (() => void) | null {
  const { socket } = response.req;
  let queue = queues.get(socket);
  if (queue === undefined) {
    queue = new Queue(socket);
    queues.set(socket, queue);
  }
  if (queue.size >= maxQueuedStreams) return null;
  const joined = queue.add(sink);
  const leave = (): void => void joined.delete(sink);
  // Emitted when the response has got its connection, whose end it notices itself from then on.
  response.once("socket", leave);
  return leave;
}
