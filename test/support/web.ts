import { afterEach } from "vitest";
import { EventSource, type SourceOptions } from "../../src/index.ts";
import { type RecordedEvent, StreamRecorder } from "./recorder.ts";

export const url = "http://localhost/events";

/** A request as a framework would pass it on. */
export function request(init: RequestInit & { query?: string } = {}): Request {
  return new Request(url + (init.query ?? ""), init);
}

const sources: EventSource[] = [];

/** A source that is closed at the end of the test. */
export function openSource(
  options?: ConstructorParameters<typeof EventSource>[1],
  init?: Parameters<typeof request>[0],
): EventSource {
  const source: EventSource = new EventSource(request(init), options);
  sources.push(source);
  return source;
}

/** The same with its response and the client at the other end, which reads only when it is told to. */
export function openWeb(
  options?: SourceOptions,
  init?: Parameters<typeof request>[0],
): { source: EventSource; response: Response; client: BodyReader } {
  const source = openSource(options, init);
  const response = source.response();
  return { source, response, client: new BodyReader(response) };
}

afterEach(() => Promise.all(sources.splice(0).map((source) => source.close())));

/** The client of a response that did not come over a network: one read takes one chunk of the body. */
export class BodyReader {
  readonly parser: StreamRecorder = new StreamRecorder();
  /** The chunks so far, as they came. */
  readonly chunks: string[] = [];
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #heard = 0;

  constructor(response: Response) {
    this.#reader = (response.body ?? new Blob().stream()).getReader();
  }

  get text(): string {
    return this.chunks.join("");
  }

  /** False at the end of the body. */
  async read(): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    if (done) return false;
    this.chunks.push(new TextDecoder().decode(value));
    this.parser.push(value);
    return true;
  }

  /** The next event that was not returned yet. */
  async next(): Promise<RecordedEvent> {
    while (this.parser.events.length === this.#heard) {
      if (!(await this.read())) throw new Error(`The stream ended; it said ${JSON.stringify(this.text)}`);
    }
    return this.parser.events[this.#heard++] as RecordedEvent;
  }

  /** All events, when the body has ended. */
  async rest(): Promise<readonly RecordedEvent[]> {
    while (await this.read());
    return this.parser.events;
  }

  /** Leaves, as a server tells its application by cancelling the body. */
  leave(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** The end of the present tick, after what was dispatched in it has left. */
export function tick(): Promise<void> {
  return new Promise((resolve) => endOfTick(resolve));
}

// Taken at import: fake clocks replace it later.
const endOfTick = setImmediate;
