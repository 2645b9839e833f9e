// Oak on Node: its server does not report a client that disconnects, so empty chunks probe the connection.
import { unrefTimeout } from "../../base/clock.ts";
import type { HeaderSource, SinkOwner } from "../../sinks/sink.ts";
import { WebSink } from "../../sinks/web.ts";
import type { EventSource } from "../../source/source.ts";
import { Frame } from "../../wire/frame.ts";
import type { OakRequest } from "./context.ts";

/** Interval between two probes of a connection, in milliseconds. */
const disconnectCheckMs = 1_000;
/** How long the end of a stream may wait for a client that does not read, before its connection is destroyed. */
const closeLingerMs = 10_000;

/** Sends a response through Oak, which writes the body chunk by chunk and rejects when a write fails. */
export function sendOnNode({ originalRequest }: OakRequest, response: Response, source: EventSource | null): void {
  const { status, body } = response;
  // Oak sets one header after the other, so that of several cookies the last would replace the others.
  const cookies = response.headers.getSetCookie();
  const headers: [string, string | string[]][] = [...response.headers].filter(([name]) => name !== "set-cookie");
  if (cookies.length > 0) headers.push(["set-cookie", cookies]);
  const over = Promise.resolve(originalRequest.respond({ status, statusText: "", headers, body })).catch(() =>
    source?.close("disconnected"),
  );
  source?.addEventListener("close", () => {
    const deadline = unrefTimeout(() => originalRequest.error?.(), closeLingerMs);
    over.then(() => clearTimeout(deadline));
  });
}

/**
 * A body with an empty chunk from time to time. It puts no byte on the wire, but writing it fails once the client has
 * disconnected, and Oak cancels the body then. Without it, Oak on Node would not notice.
 */
export class ProbingSink extends WebSink {
  #timer: ReturnType<typeof setTimeout> | undefined;

  override start(owner: SinkOwner, opening: Frame, headers: HeaderSource): void {
    super.start(owner, opening, headers);
    this.#beat();
  }

  override end(): Promise<void> {
    clearTimeout(this.#timer);
    return super.end();
  }

  #beat(): void {
    this.#timer = unrefTimeout(() => {
      if (!this.full) this.send(emptyFrame);
      this.#beat();
    }, disconnectCheckMs);
  }
}

const emptyFrame = Frame.of("");
