import type { ReadEvent } from "../../../src/hub/reader/read-event.ts";
import type { Hub } from "../../../src/index.ts";
import { encodeEvent } from "../../../src/wire/encode.ts";
import type { Wire } from "./socket.ts";

/** A reader of the application whose events become those of a stream. It asks for the next one when the last was taken. */
export class ReaderWire implements Wire {
  readonly status = 200;
  readonly #events: AsyncIterator<ReadEvent>;
  #bytes = new Uint8Array(0);
  #isAsking = false;
  #isOver = false;

  constructor(hub: Hub, channel: string, after: string) {
    this.#events = hub.channel(channel).read({ after });
  }

  get ended(): boolean {
    return this.#isOver && this.#bytes.length === 0;
  }

  take(bytes: number): Uint8Array {
    if (this.#bytes.length === 0 && !this.#isAsking && !this.#isOver) this.#ask();
    const taken = this.#bytes.subarray(0, bytes);
    this.#bytes = this.#bytes.subarray(taken.length);
    return taken;
  }

  leave(): void {
    this.#isOver = true;
    void this.#events.return?.();
  }

  #ask(): void {
    this.#isAsking = true;
    const take = ({ done, value }: IteratorResult<ReadEvent>): void => {
      if (done) this.#isOver = true;
      else if (!this.#isOver) this.#bytes = new TextEncoder().encode(textOf(value));
    };
    // After a failure, such as that of the log, its consumer reads again from its position.
    const fail = (): void => this.leave();
    this.#events
      .next()
      .then(take, fail)
      .finally(() => {
        this.#isAsking = false;
      });
  }
}

function textOf({ type, data, cursor }: ReadEvent): string {
  return encodeEvent({ type, id: cursor, data: typeof data === "string" ? data : JSON.stringify(data) });
}
