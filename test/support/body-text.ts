import { gunzipSync } from "node:zlib";

/** The client of a response that may be compressed. It reads only when it is told to. */
export class BodyText {
  readonly response: Response;
  readonly #chunks: Uint8Array[] = [];
  readonly #body: ReadableStreamDefaultReader<Uint8Array>;

  constructor(response: Response) {
    this.response = response;
    this.#body = (response.body ?? new Blob().stream()).getReader();
  }

  get encoding(): string | null {
    return this.response.headers.get("content-encoding");
  }

  /** Takes one chunk as it is on the wire: the writes of one tick. `undefined` at the end. */
  async read(): Promise<Uint8Array | undefined> {
    const { value } = await this.#body.read();
    if (value !== undefined) this.#chunks.push(value);
    return value;
  }

  /** The text of the whole body, when it has ended. */
  async rest(): Promise<string> {
    while ((await this.read()) !== undefined);
    const bytes = Buffer.concat(this.#chunks);
    return (this.encoding === "gzip" ? gunzipSync(bytes) : bytes).toString();
  }
}

/** The end of a tick. */
export const tick = (): Promise<void> => new Promise<void>((resolve) => setImmediate(resolve));
