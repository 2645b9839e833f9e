// Standard output with backpressure, which notices that its reader has left.

/**
 * Writes to a stream that may end at any time. Without a listener for its errors, Node ends the process with a stack trace
 * when `head` has seen enough.
 *
 * Node notices the end of a pipe only when it writes, so a command that has nothing to print outlives its reader until the
 * next event.
 */
export class Output {
  readonly #stream: NodeJS.WritableStream;
  readonly #onEnd: (error: Error | undefined) => void;
  #ended = false;

  /** @param onEnd Called once: without an error when the reader of a pipe has left, as `head` does. */
  constructor(stream: NodeJS.WritableStream, onEnd: (error: Error | undefined) => void) {
    this.#stream = stream;
    this.#onEnd = onEnd;
    stream.on("error", this.#fail);
  }

  /**
   * A caller that waits for the result keeps memory bounded: pipes of Node are synchronous on Linux and macOS, and buffer
   * without a limit on Windows (https://nodejs.org/api/process.html#a-note-on-process-io).
   *
   * @returns Whether the text has left this process, once that is certain.
   */
  async write(text: string): Promise<boolean> {
    if (this.#ended || text === "") return !this.#ended;
    return new Promise((resolve) => {
      this.#stream.write(text, (error) => {
        if (error) this.#fail(error);
        resolve(!error);
      });
    });
  }

  /** Called by the error event and by the callback of a write, in either order. */
  readonly #fail = (error: Error & { code?: string }): void => {
    if (this.#ended) return;
    this.#ended = true;
    // Windows reports a pipe without a reader as EOF.
    this.#onEnd(error.code === "EPIPE" || error.code === "EOF" ? undefined : error);
  };
}
