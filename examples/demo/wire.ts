import type { IncomingMessage, ServerResponse } from "node:http";

/** Bytes that a late reader of the wire still receives: the opening of the stream, and more than a screen of events. */
const mostKept = 32 * 1024;
/** Bytes that may wait for a reader of the wire; then it is disconnected. */
const mostWaiting = 256 * 1024;

/**
 * A copy of the bytes of one stream, as they are passed to its connection. A page can read the events of its native
 * `EventSource`, but not the bytes, so it fetches this copy to show them.
 */
export class Wire {
  #kept: Uint8Array[] = [];
  #size = 0;
  readonly #readers = new Set<ServerResponse>();
  /** The position that the browser sent when it reconnected. */
  readonly #lastEventId: string;

  private constructor(lastEventId: string) {
    this.#lastEventId = lastEventId;
  }

  /** Copies the bytes of a response. Must be called before the first write. */
  static tap(request: IncomingMessage, response: ServerResponse): Wire {
    const wire = new Wire(String(request.headers["last-event-id"] ?? ""));
    const write = response.write;
    response.write = ((chunk: Uint8Array, ...rest: never[]) => {
      wire.#carry(chunk);
      return Reflect.apply(write, response, [chunk, ...rest]);
    }) as typeof write;
    response.on("close", () => wire.#end());
    return wire;
  }

  /** Responds with the bytes so far and all later ones, until the stream ends. */
  answer(response: ServerResponse): void {
    const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
    response.writeHead(200, { ...headers, "x-last-event-id": this.#lastEventId });
    if (response.req.method === "HEAD") return void response.end();
    response.flushHeaders();
    for (const chunk of this.#kept) response.write(chunk);
    this.#readers.add(response);
    response.on("close", () => this.#readers.delete(response));
  }

  #carry(chunk: Uint8Array): void {
    this.#kept.push(chunk);
    this.#size += chunk.byteLength;
    while (this.#size > mostKept && this.#kept.length > 1) this.#size -= this.#kept.shift()?.byteLength ?? 0;
    for (const reader of this.#readers) {
      if (reader.writableLength < mostWaiting) reader.write(chunk);
      else reader.destroy();
    }
  }

  #end(): void {
    for (const reader of this.#readers) reader.end();
  }
}
