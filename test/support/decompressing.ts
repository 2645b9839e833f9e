import { PassThrough } from "node:stream";
import { createBrotliDecompress, createGunzip } from "node:zlib";
import type { Client } from "./client.ts";
import { StreamRecorder } from "./recorder.ts";

const decompressors = { gzip: createGunzip, br: createBrotliDecompress };

/**
 * The output of a client that decompresses as it reads, from the first byte on, by the encoding that the response
 * names.
 */
export class Decompressing implements Disposable {
  readonly parser: StreamRecorder = new StreamRecorder();
  readonly #client: Client;
  readonly #decompress: PassThrough | ReturnType<typeof createGunzip>;
  #fed = 0;

  /** The header has to be there. */
  constructor(client: Client) {
    this.#client = client;
    const encoding = client.headers["content-encoding"] as keyof typeof decompressors | undefined;
    this.#decompress = encoding === undefined ? new PassThrough() : decompressors[encoding]();
    this.#decompress.on("data", (bytes: Buffer) => this.parser.push(bytes));
  }

  /** Resolves as soon as `condition` holds of what came so far. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await this.#client.until(() => this.#client.pieces.length > this.#fed || this.#client.ended !== null);
      const pieces = this.#client.pieces.slice(this.#fed);
      if (pieces.length === 0) throw new Error("The stream ended");
      this.#fed += pieces.length;
      for (const piece of pieces) {
        await new Promise<void>((resolve) => this.#decompress.write(piece, () => resolve()));
      }
    }
  }

  [Symbol.dispose](): void {
    this.#decompress.destroy();
  }
}
