// The headers of a Node request, read as the `Headers` of the fetch standard are.
import type { IncomingHttpHeaders } from "node:http";
import { quote, SourcecastTypeError } from "../base/errors.ts";

/**
 * A read-only view of a request's headers that answers as a `Headers` made from the same lines would. It reads the request
 * when it is asked, so it costs nothing until then, and it sees the headers that middleware has set on `req.headers`.
 *
 * @see https://fetch.spec.whatwg.org/#headers-class
 */
export class NodeHeaders implements Iterable<[name: string, value: string]> {
  readonly #request: HeaderCarrier;

  constructor(request: HeaderCarrier) {
    this.#request = request;
  }

  /** @throws {SourcecastTypeError} for a name that a header cannot have, as `Headers` throws a `TypeError`. */
  get(name: string): string | null {
    return this.#valueOf(lowerCaseName(name));
  }

  has(name: string): boolean {
    return this.#valueOf(lowerCaseName(name)) !== null;
  }

  getSetCookie(): string[] {
    const value = this.#request.headers["set-cookie"];
    return value === undefined ? [] : [...value];
  }

  forEach(callback: (value: string, name: string, headers: NodeHeaders) => void, thisArg?: unknown): void {
    for (const [name, value] of this) callback.call(thisArg, value, name, this);
  }

  *keys(): Generator<string> {
    for (const [name] of this) yield name;
  }

  *values(): Generator<string> {
    for (const [, value] of this) yield value;
  }

  *entries(): Generator<[name: string, value: string]> {
    for (const name of this.#names()) {
      // The only header whose values are listed one by one.
      if (name === "set-cookie") for (const cookie of this.getSetCookie()) yield [name, cookie];
      else yield [name, this.#valueOf(name) as string];
    }
  }

  [Symbol.iterator](): Generator<[name: string, value: string]> {
    return this.entries();
  }

  get [Symbol.toStringTag](): "Headers" {
    return "Headers";
  }

  /** @param name In lower case. */
  #valueOf(name: string): string | null {
    const { headers } = this.#request;
    // HTTP/2 clients send the authority in place of `host` (RFC 9113, section 8.3.1).
    if (name === "host" && typeof headers[":authority"] === "string") return headers[":authority"];
    if (name === unassignableName) return joined(this.#lines(name));
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
    if (value === undefined) return null;
    if (typeof value !== "string") return Array.isArray(value) ? joined(value) : String(value);
    // Of some headers Node keeps the first line only (https://nodejs.org/api/http.html#messageheaders). Any other value is
    // whole already, or was set by middleware.
    const lines = this.#lines(name);
    return lines.length > 1 && lines[0] === value ? joined(lines) : value;
  }

  /** Sorted, as the fetch standard iterates over headers. The pseudo-headers of HTTP/2 are not among them. */
  #names(): string[] {
    const { headers } = this.#request;
    const names = new Set(Object.keys(headers).filter((name) => headers[name] !== undefined && !name.startsWith(":")));
    if (typeof headers[":authority"] === "string") names.add("host");
    if (this.#lines(unassignableName).length > 0) names.add(unassignableName);
    return [...names].sort();
  }

  /** The values of a header as they were sent. */
  #lines(name: string): string[] {
    // Requests that tests or serverless platforms make up may have none.
    const { rawHeaders = [] } = this.#request;
    const lines: string[] = [];
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const sent = rawHeaders[index] as string;
      if (sent.length === name.length && sent.toLowerCase() === name) lines.push(rawHeaders[index + 1] as string);
    }
    return lines;
  }
}

/** The part of a Node request that holds its headers. */
interface HeaderCarrier {
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders?: readonly string[];
}

/** On the plain object of `node:http`, assigning a string to this name does nothing. */
const unassignableName = "__proto__";

function joined(lines: readonly string[]): string | null {
  return lines.length === 0 ? null : lines.join(", ");
}

function lowerCaseName(name: string): string {
  // A symbol throws here, as it does there.
  const text = `${name}`;
  if (/^[\w!#$%&'*+\-.^`|~]+$/.test(text)) return text.toLowerCase();
  throw new SourcecastTypeError(
    "ERR_SSE_ARGUMENT",
    `The header name ${quote(text)} is not valid; a name is made of letters, digits and !#$%&'*+-.^_\`|~`,
  );
}
