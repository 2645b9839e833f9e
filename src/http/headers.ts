// Response headers: the defaults of an event stream, and how layers of headers are merged and checked.
import { quote, SourcecastTypeError } from "../base/errors.ts";

/**
 * Header fields by name. `null`, `undefined` or `false` removes a default. Names are compared without regard to case.
 */
export type HeaderOverrides =
  | Readonly<Record<string, string | number | readonly string[] | null | undefined | false>>
  | Iterable<readonly [string, string]>
  | { forEach(callback: (value: string, name: string) => void): void };

/**
 * The header of every event stream. `no-transform` stops compressing middleware and proxies from buffering events, and
 * `x-accel-buffering` stops nginx. `connection` and `transfer-encoding` belong to the server: on HTTP/2 they are errors.
 */
const defaults: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
  "x-content-type-options": "nosniff",
};

/** Header fields by their names in lower case. Only `set-cookie` has several values. */
export type HeaderFields = ReadonlyMap<string, string | readonly string[]>;

/** The default header with layers on top, later ones winning. The objects passed in are only read. */
export function eventStreamHeaders(
  first?: HeaderOverrides,
  second?: HeaderOverrides,
  third?: HeaderOverrides,
  fourth?: HeaderOverrides,
): HeaderFields {
  // Three times for each connection, and nearly always without a layer: a rest parameter would make a list for that.
  const isPlain = (first ?? second ?? third ?? fourth) === undefined;
  return isPlain ? defaultHeaders : mergeHeaders(defaults, first, second, third, fourth);
}

const defaultHeaders: HeaderFields = new Map(Object.entries(defaults));

/**
 * Merges headers; later ones win. A stream never has a length: one that middleware has set for its own body would make
 * clients stop reading there.
 */
export function mergeHeaders(...layers: (HeaderOverrides | HeaderFields | undefined)[]): HeaderFields {
  const headers = new Map<string, string | readonly string[]>();
  for (const layer of layers) {
    if (layer === undefined || layer === null) continue;
    for (const entry of headerEntries(layer)) {
      if (!Array.isArray(entry)) throw headerError(`a list with ${quote(entry)}`, "a list has pairs of name and value");
      const [name, value] = entry;
      const key = checkedName(name);
      if (value === null || value === undefined || value === false) headers.delete(key);
      else headers.set(key, combine(key, headers.get(key), value));
    }
  }
  headers.delete("content-length");
  return headers;
}

/** @throws {SourcecastTypeError} `ERR_SSE_OPTION` for headers that cannot be sent. */
export function assertHeaders(headers: unknown): void {
  if (headers === null) throw headerError("null", "pass an object or a Headers");
  mergeHeaders(headers as HeaderOverrides);
}

/**
 * The header as a list of names and values, a name for each value: cookies cannot be joined by commas, which their dates have
 * (RFC 6265, section 3).
 */
export function* headerLines(headers: HeaderFields): Generator<[name: string, value: string]> {
  for (const [name, value] of headers) {
    if (typeof value === "string") yield [name, value];
    else for (const one of value) yield [name, one];
  }
}

/** Cookies and the names in `vary` add up, whoever sets them. Any other header replaces an earlier one. */
function combine(
  name: string,
  before: string | readonly string[] | undefined,
  value: unknown,
): string | readonly string[] {
  const values = (Array.isArray(value) ? value : [value]).map((one) => checkedValue(name, String(one)));
  if (name === "set-cookie") return [...(before ?? []), ...values];
  if (name !== "vary" || before === undefined) return values.join(", ");
  // Names of header fields are compared without regard to case; the first way of writing one stays.
  const fields = new Map<string, string>();
  for (const field of `${before}, ${values.join(", ")}`.split(/\s*,\s*/)) {
    if (!fields.has(field.toLowerCase())) fields.set(field.toLowerCase(), field);
  }
  return [...fields.values()].join(", ");
}

/** The entries of all forms. A `Headers` is known by its methods, since one of another library has another class. */
function headerEntries(headers: HeaderOverrides | HeaderFields): Iterable<readonly [string, unknown]> {
  if (typeof headers !== "object") throw headerError(quote(headers), "pass an object or a Headers");
  if (Symbol.iterator in headers) return headers as Iterable<readonly [string, unknown]>;
  if (typeof headers.forEach !== "function") return Object.entries(headers);
  const entries: [string, string][] = [];
  headers.forEach((value, name) => {
    entries.push([name, value]);
  });
  return entries;
}

/** A name that Node would reject later, when it throws in the middle of a response (RFC 9110, section 5.6.2, `token`). */
function checkedName(name: string): string {
  if (/^[\w!#$%&'*+\-.^`|~]+$/.test(name)) return name.toLowerCase();
  throw headerError(`for the name ${quote(name)}`, "a name is made of letters, digits and !#$%&'*+-.^_`|~");
}

// One character a byte: neither a web Response nor node:http takes others.
function checkedValue(name: string, value: string): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
  throw headerError(
    `${quote(value)} for ${name}`,
    "a value has no control characters, and characters beyond latin1 have to be encoded",
  );
}

function headerError(found: string, allowed: string): SourcecastTypeError {
  return new SourcecastTypeError("ERR_SSE_OPTION", `The option headers is ${found}; ${allowed}`);
}
