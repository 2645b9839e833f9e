// The fields of a request: its query, and the form in its body.
import { unrefTimeout } from "../base/clock.ts";
import { quote, SourcecastTypeError } from "../base/errors.ts";

/** Most bytes of a form. The names of a thousand channels fit into a quarter of it. */
const maxFormBytes = 1024 ** 2;

/** A client that sends its form slower than this has given up, or wants to keep the route waiting. */
const formDeadlineMs = 10_000;

/** Why a form was not read. */
export interface FormProblem {
  /** The status for the client. With 408, a client may send the same form again. */
  readonly status: 408 | 413;
  /** The problem and the remedy, in words for the client. */
  readonly message: string;
}

const tooLong: FormProblem = {
  status: 413,
  message: "The form of the request is longer than a megabyte; ask for fewer channels",
};

const tooSlow: FormProblem = {
  status: 408,
  message: `The form of the request has not arrived within ${formDeadlineMs / 1_000} s; send it again`,
};

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
 * @returns The problem of a form that is over a megabyte, or not there after ten seconds. No field of a form that was cut off.
 * @throws {SourcecastTypeError} `ERR_SSE_ARGUMENT` for anything but a request, and for a form that has been read already.
 */
export async function readForm(request: FormRequest): Promise<URLSearchParams | FormProblem> {
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
  const form = await formOf(request);
  if ("status" in form) return form;
  for (const [name, value] of form) fields.append(name, value);
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
async function formOf(request: FormRequest): Promise<Iterable<[string, string]> | FormProblem> {
  const { body } = request;
  if (body instanceof URLSearchParams) return body;
  if (typeof body === "object" && body !== null && !isReadable(body)) return entriesOf(body);
  const text = typeof body === "string" ? body : await textOf(request);
  return typeof text === "string" ? new URLSearchParams(text) : text;
}

/** A form that a framework has read. With many fields of one name, some parsers make an object of numbers. */
function entriesOf(form: object): [string, string][] {
  return Object.entries(form).flatMap(([name, value]) => {
    const values: unknown[] = typeof value === "object" && value !== null ? Object.values(value) : [value];
    return values.filter((each) => typeof each === "string").map((each): [string, string] => [name, each]);
  });
}

/**
 * Reads on past the limit, until the deadline: the server of a request whose body is canceled may destroy its connection, and
 * the client would get no answer.
 */
function textOf(request: FormRequest): Promise<string | FormProblem> {
  const form = new FormText();
  const { body } = request;
  const reading = isReadable(body) ? readWeb(request as Request, body, form) : readNode(request, form);
  return new Promise((resolve) => {
    const settle = (answer: string | FormProblem): void => {
      clearTimeout(timer);
      resolve(form.isOver ? tooLong : answer);
      form.drop();
    };
    const timer = unrefTimeout(() => settle(tooSlow), formDeadlineMs);
    reading.then(
      () => settle(form.end()),
      // The client has left in the middle. Its request gets no stream anyway.
      () => settle(""),
    );
  });
}

/** Takes the lock on the body at once, so that nothing else begins to read it. */
function readWeb(request: Request, body: ReadableStream<Uint8Array>, form: FormText): Promise<void> {
  if (request.bodyUsed || body.locked) throw alreadyRead();
  const reader = body.getReader();
  const readOn = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      form.add(value);
    }
  };
  return readOn();
}

/** Resolves at the end of the body, and rejects if the client leaves before it. */
function readNode(request: object, form: FormText): Promise<void> {
  const stream = request as NodeReadable;
  if (typeof stream.on !== "function" || stream.readableEnded) throw alreadyRead();
  return new Promise((resolve, reject) => {
    stream.on("data", (chunk) => form.add(chunk as Uint8Array));
    stream.on("end", () => resolve());
    stream.on("error", reject);
    stream.on("close", reject);
  });
}

/** Text that arrives in pieces, up to the limit. */
class FormText {
  readonly #decoder = new TextDecoder();
  #text = "";
  #bytes = 0;

  /** Whether the form has more bytes than are kept. */
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

  /** Keeps nothing of the pieces so far, and of those that may still arrive. */
  drop(): void {
    this.#text = "";
    this.#bytes = Number.POSITIVE_INFINITY;
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
