import type { EarlyResponse } from "../../../src/http/early-response.ts";
import { Sink, type SinkOwner } from "../../../src/sinks/sink.ts";
import type { Frame } from "../../../src/wire/frame.ts";

/** The client's end of a connection: bytes come when it takes them, as many as it takes. */
export interface Wire {
  /** The status of the answer, 0 before there is one. */
  readonly status: number;
  /** The server has ended the answer, and every byte of it was taken. */
  readonly ended: boolean;
  take(bytes: number): Uint8Array;
  /** Goes away, with all that was not taken. */
  leave(): void;
}

/** A sink over a socket that holds so many bytes: beyond that it is full until half of them have been read. */
export class Socket extends Sink implements Wire {
  status = 0;
  readonly #capacity: number;
  #bytes = new Uint8Array(0);
  #blocked = false;
  #over = false;
  #left = false;
  #onLeave: () => void = () => {};
  #taken: (() => void) | null = null;

  constructor(capacity: number) {
    super();
    this.#capacity = capacity;
  }

  get gone(): boolean {
    return this.#left;
  }

  get ended(): boolean {
    return this.#over && this.#bytes.length === 0;
  }

  onceGone(callback: () => void): () => void {
    this.#onLeave = callback;
    return () => {
      this.#onLeave = () => {};
    };
  }

  start(owner: SinkOwner, opening: Frame): void {
    this.owner = owner;
    this.status = 200;
    this.#push(opening.bytes);
  }

  refuse(answer: EarlyResponse): void {
    this.status = answer.status;
    if (answer.body !== null) this.#push(answer.body);
    this.#over = true;
  }

  end(): Promise<void> {
    if (this.pending !== null) this.#push(this.pending.bytes);
    this.#release();
    if (this.#left || this.#bytes.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#taken = resolve;
    });
  }

  abort(): void {
    this.#bytes = new Uint8Array(0);
    this.#release();
  }

  take(bytes: number): Uint8Array {
    const taken = this.#bytes.subarray(0, bytes);
    this.#bytes = this.#bytes.subarray(taken.length);
    if (this.#bytes.length === 0) this.#taken?.();
    if (this.#blocked && this.#bytes.length <= this.#capacity / 2) {
      this.#blocked = false;
      this.resume();
    }
    return taken;
  }

  leave(): void {
    this.#left = true;
    this.#bytes = new Uint8Array(0);
    this.#taken?.();
    this.#onLeave();
    this.owner?.onGone();
  }

  protected get queued(): number {
    return this.#bytes.length;
  }

  protected get blocked(): boolean {
    return this.#blocked;
  }

  protected send(frame: Frame): boolean {
    if (this.#blocked) return false;
    this.#push(frame.bytes);
    this.#blocked = this.#bytes.length > this.#capacity;
    return true;
  }

  #push(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    this.#bytes = joined;
  }

  #release(): void {
    this.owner = null;
    this.pending = null;
    this.#over = true;
    this.#blocked = false;
  }
}

/** The body of a web response, read only when the client takes something. */
export class Body implements Wire {
  status = 0;
  readonly #abort: AbortController;
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #bytes: Uint8Array = new Uint8Array(0);
  #reading = false;
  #over = false;

  constructor(abort: AbortController) {
    this.#abort = abort;
  }

  get ended(): boolean {
    return this.#over && this.#bytes.length === 0;
  }

  open(response: Response): void {
    this.status = response.status;
    if (response.body === null) this.#over = true;
    else this.#reader = response.body.getReader();
    this.#read();
  }

  take(bytes: number): Uint8Array {
    const taken = this.#bytes.subarray(0, bytes);
    this.#bytes = this.#bytes.subarray(taken.length);
    if (this.#bytes.length === 0) this.#read();
    return taken;
  }

  leave(): void {
    this.#abort.abort();
    this.#reader?.cancel().catch(() => {});
  }

  async #read(): Promise<void> {
    if (this.#reading || this.#over || this.#reader === null) return;
    this.#reading = true;
    const { done, value } = await this.#reader.read();
    this.#reading = false;
    if (done) this.#over = true;
    else this.#bytes = value;
  }
}
