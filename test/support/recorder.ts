// A client of a stream: the product's parser, and a record of everything that it reported.
import { EventStreamParser } from "../../src/wire/parse.ts";

/** An event as a client's listener receives it. */
export interface RecordedEvent {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

export class StreamRecorder {
  /** Every event so far. */
  readonly events: RecordedEvent[] = [];
  /** The id of its own that each event has, or `undefined`. */
  readonly ownIds: (string | undefined)[] = [];
  /** The channel of each event on a labeled stream. */
  readonly channels: (string | undefined)[] = [];
  /** Every comment so far. Clients ignore them. */
  readonly comments: string[] = [];
  /** The reconnection time, once the stream has set it. */
  retry: number | undefined;
  readonly #parser: EventStreamParser;

  /** @param lastEventId What the client had before it reconnected. */
  constructor(lastEventId = "") {
    this.#parser = new EventStreamParser(
      {
        onEvent: ({ type, data, id, lastEventId, channel }) => {
          this.events.push({ type, data, lastEventId });
          this.ownIds.push(id);
          this.channels.push(channel);
        },
        onComment: (text) => this.comments.push(text),
        onRetry: (time) => {
          this.retry = time;
        },
      },
      { lastEventId, maxEventSize: Number.POSITIVE_INFINITY },
    );
  }

  /** The id that a client sends when it reconnects. */
  get lastEventId(): string {
    return this.#parser.lastEventId;
  }

  /** True between events: nothing is lost if the stream ends here. */
  get complete(): boolean {
    return this.#parser.complete;
  }

  /** Why the client is to reconnect later, if the stream ends by saying so; with the time that browsers honor. */
  get later(): { reason: string; retry: number | undefined } | undefined {
    const last = this.events.at(-1);
    if (last?.type !== "sse:later") return undefined;
    const { reason, retryAfter } = JSON.parse(last.data);
    return retryAfter === this.retry ? { reason, retry: this.retry } : undefined;
  }

  /** Takes the next bytes and returns the events that they completed. */
  push(bytes: Uint8Array | string): RecordedEvent[] {
    const before = this.events.length;
    this.#parser.push(bytes);
    return this.events.slice(before);
  }
}

/** Everything that a stream of these bytes, or of this text, says. */
export function parse(stream: Uint8Array | string): StreamRecorder {
  const recorder = new StreamRecorder();
  recorder.push(stream);
  return recorder;
}
