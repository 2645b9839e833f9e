import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { type RecordedEvent, StreamRecorder } from "./recorder.ts";

export interface ClientRequest {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Of HTTP/1. */
  version?: "1.0" | "1.1";
  /** Accepts gzip, and reads it: the pieces of the client are decompressed then. */
  gunzip?: boolean;
}

/** The response to one request, with its bytes and pieces as they were on the wire. */
export abstract class Client {
  readonly parser: StreamRecorder = new StreamRecorder();
  /** Pieces of the body, as the protocol frames them: chunks of HTTP/1.1, DATA of HTTP/2. */
  readonly pieces: Buffer[] = [];
  status = 0;
  /** Names in lower case; values of a repeated name joined. */
  headers: Record<string, string> = {};
  /** `"end"`: the protocol's own end. `"cut"`: the connection went away in the middle. */
  ended: "end" | "cut" | null = null;
  #heard = 0;
  #waiting: (() => void)[] = [];
  /** Decompresses what comes in, if the client is to do so and the response is compressed. */
  #gunzip: Gunzip | null = null;
  readonly #decompresses: boolean;

  constructor({ gunzip = false }: ClientRequest = {}) {
    this.#decompresses = gunzip;
  }

  abstract readonly stream: Duplex;

  get body(): Buffer {
    return Buffer.concat(this.pieces);
  }

  /** Resolves as soon as `condition` holds; it is checked whenever bytes arrive. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Header and first bytes have come. */
  async opened(): Promise<this> {
    await this.until(() => this.pieces.length > 0 || this.ended !== null);
    return this;
  }

  /** The next event that was not returned yet. */
  async next(): Promise<RecordedEvent> {
    await this.until(() => this.parser.events.length > this.#heard || this.ended !== null);
    const event = this.parser.events[this.#heard++];
    if (event === undefined) throw new Error(`The stream ended (${this.ended}): ${this.body.toString().slice(-500)}`);
    return event;
  }

  /** The next event that the application published: a hub may tell the position in between. */
  async nextPublished(): Promise<RecordedEvent> {
    for (;;) {
      const event = await this.next();
      if (!event.type.startsWith("sse:")) return event;
    }
  }

  async rest(): Promise<"end" | "cut"> {
    await this.until(() => this.ended !== null);
    return this.ended as "end" | "cut";
  }

  /** Stops reading. */
  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  /** Goes away without a word. */
  leave(): void {
    this.stream.destroy();
  }

  protected takePiece(piece: Buffer): void {
    if (!this.#decompresses || this.headers["content-encoding"] !== "gzip") this.#take(piece);
    else {
      this.#gunzip ??= this.#startGunzip();
      this.#gunzip.write(piece);
    }
  }

  protected finish(how: "end" | "cut"): void {
    if (this.#gunzip === null || this.#gunzip.destroyed) this.#finish(how);
    // The end of the response has to be that of the gzip stream, which its length and checksum show.
    else if (how === "end") this.#gunzip.end();
    else if (!this.#gunzip.writableEnded) this.#gunzip.flush(() => this.#finish("cut"));
  }

  #startGunzip(): Gunzip {
    // A write is one piece again.
    const gunzip = createGunzip({ chunkSize: 1024 ** 2 });
    gunzip.on("data", (piece: Buffer) => this.#take(piece));
    gunzip.on("end", () => this.#finish("end"));
    gunzip.on("error", () => this.#finish("cut"));
    return gunzip;
  }

  #take(piece: Buffer): void {
    this.pieces.push(piece);
    this.parser.push(piece);
    this.changed();
  }

  #finish(how: "end" | "cut"): void {
    this.ended ??= how;
    this.changed();
    this.#gunzip?.destroy();
  }

  protected changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** HTTP/1 on a plain socket. */
export class Http1Client extends Client {
  readonly stream: Socket;
  /** The header as it was on the wire. */
  head = "";
  #rest: Buffer = Buffer.alloc(0);
  #chunked = false;
  /** Bytes of the body that are to come, where the header said how many there are. */
  #left: number | undefined;

  /** @param to A port of this machine, or a connection that is under way. */
  constructor(to: number | Socket, request: ClientRequest = {}) {
    super(request);
    this.stream = typeof to === "number" ? connect(to, "127.0.0.1") : to;
    this.stream.on("data", (bytes) => this.#take(bytes));
    this.stream.on("error", () => this.finish("cut"));
    // Without chunks and without a length the end of the connection is the end of the body.
    const isWhole = (): boolean => this.head !== "" && !this.#chunked && this.#left === undefined;
    this.stream.on("end", () => this.finish(isWhole() ? "end" : "cut"));
    this.stream.on("close", () => this.finish("cut"));
    this.stream.write(requestText(request));
  }

  /** Says that nothing more comes from here, and keeps reading. */
  halfClose(): void {
    this.stream.end();
  }

  /** Goes away with a reset in place of a proper end. */
  reset(): void {
    this.stream.resetAndDestroy();
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (this.head === "" && !this.#takeHead()) return;
    if (!this.#chunked) this.#takeRest();
    else while (this.#takeChunk());
  }

  #takeHead(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end === -1) return false;
    this.head = this.#rest.toString("latin1", 0, end);
    this.#rest = this.#rest.subarray(end + 4);
    const [statusLine = "", ...lines] = this.head.split("\r\n");
    this.status = Number(statusLine.split(" ")[1]);
    for (const line of lines) {
      const [name = "", value = ""] = line.split(/:\s*(.*)/s);
      const key = name.toLowerCase();
      this.headers[key] = key in this.headers ? `${this.headers[key]}, ${value}` : value;
    }
    this.#chunked = this.headers["transfer-encoding"] === "chunked";
    const length = this.headers["content-length"];
    if (length !== undefined) this.#left = Number(length);
    this.changed();
    return true;
  }

  #takeRest(): void {
    if (this.#left !== undefined) this.#left -= this.#rest.length;
    if (this.#rest.length > 0) this.takePiece(this.#rest);
    this.#rest = Buffer.alloc(0);
    if (this.#left === 0) this.finish("end");
  }

  #takeChunk(): boolean {
    const lineEnd = this.#rest.indexOf("\r\n");
    if (lineEnd === -1) return false;
    const length = Number.parseInt(this.#rest.toString("latin1", 0, lineEnd), 16);
    const end = lineEnd + 2 + length;
    if (this.#rest.length < end + 2) return false;
    if (this.#rest.toString("latin1", end, end + 2) !== "\r\n") throw new Error("A chunk has no end");
    const piece = this.#rest.subarray(lineEnd + 2, end);
    this.#rest = this.#rest.subarray(end + 2);
    if (length === 0) this.finish("end");
    else this.takePiece(piece);
    return length !== 0;
  }
}

/** One stream on a connection of its own, HTTP/2. */
export class Http2Client extends Client {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;

  /** Over TLS where it is told whom to trust. */
  constructor(port: number, request: ClientRequest = {}, ca?: Buffer) {
    super(request);
    this.session =
      ca === undefined ? connectHttp2(`http://127.0.0.1:${port}`) : connectHttp2(`https://127.0.0.1:${port}`, { ca });
    this.session.on("error", () => this.finish("cut"));
    const { method = "GET", path = "/", body } = request;
    const headers = headersOf(request);
    this.stream = this.session.request(
      { ":method": method, ":path": path, ...headers },
      { endStream: body === undefined },
    );
    if (body !== undefined) this.stream.end(body);
    this.stream.on("response", ({ ":status": status, ...rest }) => {
      this.status = Number(status);
      for (const [name, value] of Object.entries(rest)) this.headers[name] = String(value);
      this.changed();
    });
    this.stream.on("data", (bytes: Buffer) => this.takePiece(bytes));
    this.stream.on("error", () => this.finish("cut"));
    this.stream.on("end", () => this.finish(this.stream.aborted || this.stream.rstCode !== 0 ? "cut" : "end"));
    this.stream.on("close", () => {
      this.finish("cut");
      this.session.close();
    });
  }

  override leave(): void {
    this.session.destroy();
  }

  /** Gives up the stream and keeps the connection. */
  reset(): void {
    this.stream.close(8);
  }

  async sessionClosed(): Promise<void> {
    if (!this.session.destroyed) await once(this.session, "close");
  }
}

function headersOf({ headers = {}, gunzip = false }: ClientRequest): Record<string, string> {
  return gunzip ? { "accept-encoding": "gzip", ...headers } : headers;
}

export function requestText(request: ClientRequest): string {
  const { method = "GET", path = "/", body, version = "1.1" } = request;
  const all: Record<string, string> = { host: "127.0.0.1", ...headersOf(request) };
  if (body !== undefined) all["content-length"] = String(Buffer.byteLength(body));
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/${version}\r\n${lines.join("")}\r\n${body ?? ""}`;
}
