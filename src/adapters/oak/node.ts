import { unrefTimeout } from "../../base/clock.ts";
import type { HeaderSource, SinkOwner } from "../../sinks/sink.ts";
import { WebSink } from "../../sinks/web.ts";
import type { EventSource } from "../../source/source.ts";
import { Frame } from "../../wire/frame.ts";
import type { OakRequest } from "./context.ts";

/** How often it is looked whether a client of Node is still there, in milliseconds. */
const disconnectCheckMs = 1_000;
/** How long a client that does not read may keep the end of its stream; then its connection is destroyed. */
const closeLingerMs = 10_000;

/** Oak writes the body chunk by chunk, waits for each, and rejects when one cannot be written any more. */
export function sendOnNode({ originalRequest }: OakRequest, response: Response, source: EventSource | null): void {
  const { status, headers, body } = response;
  const over = Promise.resolve(originalRequest.respond({ status, statusText: "", headers, body })).catch(() =>
    source?.close("disconnected"),
  );
  source?.addEventListener("close", () => {
    const deadline = unrefTimeout(() => originalRequest.error?.(), closeLingerMs);
    over.then(() => clearTimeout(deadline));
  });
}

/**
 * A body with empty chunks. They put no byte on the wire, but writing one fails when the client has left, which Oak on Node
 * does not notice otherwise; then it cancels the body.
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
