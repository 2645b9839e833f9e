// The fields of a request: its query, and the form in its body.
import { quote, SourcecastTypeError } from "../base/errors.ts";

/** Most bytes of a form. A longer one counts as empty. */
const maxFormBytes = 1024 ** 2;

/** The part of a request that is read: of the fetch standard, of `node:http`, or of a framework that extends one of them. */
export interface FormRequest {
  /** The address. */
  readonly url?: string | undefined;
  /** The whole address, where a router shortens `url`. */
  readonly originalUrl?: string | undefined;
  /** The method. Only a request that is not a `GET` can have a form. */
  readonly method?: string | undefined;
  /** The headers: a `Headers`, or an object with names in lower case. */
  readonly headers: object;
  /** The body of a web request, or the form as the framework has read it. */
  readonly body?: unknown;
}

/**
 * The fields of the query and, of a request with a form in its body (`application/x-www-form-urlencoded`), those of the form.
 *
 * @returns No field of a form that is over a megabyte, or that the client did not send to its end.
 * @throws {SourcecastTypeError} `ERR_SSE_ARGUMENT` for anything but a request, and for a form that has been read already.
 */
export async function readForm(request: FormRequest): Promise<URLSearchParams> {
  const address = request?.originalUrl ?? request?.url;
  if (typeof address !== "string" || typeof request.headers !== "object" || request.headers === null) {
    throw new SourcecastTypeError(
      "ERR_SSE_ARGUMENT",
      `The request is ${quote(request)}; pass the web Request or the request of node:http that your route was called with`,
    );
  }
  const [beforeHash = ""] = address.split("#", 1);
  const query = beforeHash.indexOf("?");
  const fields = new URLSearchParams(query === -1 ? "" : beforeHash.slice(query));
  if (!hasForm(request)) return fields;
  for (const [name, value] of await formOf(request)) fields.append(name, value);
  return fields;
}

/**
 * Checks the method as well, because some clients send the header of a form with a `GET`, which has no body to wait
 * for.
 */
function hasForm({ method = "GET", headers }: FormRequest): boolean {
  if (method === "GET" || method === "HEAD") return false;
  const { get } = headers as { get?: unknown };
  const type =
    typeof get === "function"
      ? (headers as Headers).get("content-type")
      : (headers as Record<string, string | undefined>)["content-type"];
  return /^application\/x-www-form-urlencoded\s*(;|$)/i.test(type ?? "");
}

/** Where the body is depends on the framework: it may have read the form already, as text or as an object. */
async function formOf(request: FormRequest): Promise<Iterable<[string, string]>> {
  const { body } = request;
  if (typeof body === "string") return new URLSearchParams(body);
  if (body instanceof URLSearchParams) return body;
  if (isReadable(body)) return new URLSearchParams(await textOfWeb(request as Request, body));
  if (typeof body === "object" && body !== null) return entriesOf(body);
  return new URLSearchParams(await textOfNode(request));
}

/** A form that a framework has read. With many fields of one name, some parsers make an object of numbers. */
function entriesOf(form: object): [string, string][] {
  return Object.entries(form).flatMap(([name, value]) => {
    const values: unknown[] = typeof value === "object" && value !== null ? Object.values(value) : [value];
    return values.filter((each) => typeof each === "string").map((each): [string, string] => [name, each]);
  });
}

async function textOfWeb(request: { bodyUsed?: boolean }, body: ReadableStream<Uint8Array>): Promise<string> {
  if (request.bodyUsed || body.locked) throw alreadyRead();
  const reader = body.getReader();
  const form = new FormText();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return form.end();
      form.add(value);
      if (form.isOver) break;
    }
    await reader.cancel();
  } catch {
    // The client has left in the middle. Its request gets no stream anyway.
  }
  return "";
}

/** Reads on past the limit, since a request that is destroyed cannot be answered. */
function textOfNode(request: object): Promise<string> {
  const stream = request as NodeReadable;
  if (typeof stream.on !== "function" || stream.readableEnded) return Promise.reject(alreadyRead());
  return new Promise((resolve) => {
    const form = new FormText();
    stream.on("data", (chunk) => form.add(chunk as Uint8Array));
    stream.on("end", () => resolve(form.end()));
    stream.on("error", () => resolve(""));
    stream.on("close", () => resolve(""));
  });
}

/** Text that arrives in pieces, up to the limit. */
class FormText {
  readonly #decoder = new TextDecoder();
  #text = "";
  #bytes = 0;

  get isOver(): boolean {
    return this.#bytes > maxFormBytes;
  }

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    this.#text = this.isOver ? "" : this.#text + this.#decoder.decode(chunk, { stream: true });
  }

  end(): string {
    return this.isOver ? "" : this.#text + this.#decoder.decode();
  }
}

function isReadable(body: unknown): body is ReadableStream<Uint8Array> {
  return typeof (body as { getReader?: unknown } | null)?.getReader === "function";
}

function alreadyRead(): SourcecastTypeError {
  return new SourcecastTypeError(
    "ERR_SSE_ARGUMENT",
    "The form of the request has been read already; call channelsOf() before anything else reads it, or use a parser that puts it on request.body",
  );
}

/** The part of `IncomingMessage` that is used. */
interface NodeReadable {
  readonly readableEnded?: boolean;
  on(event: "data" | "end" | "error" | "close", listener: (value?: unknown) => void): unknown;
}
