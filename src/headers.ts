import { quote, SourcecastTypeError } from "./errors.ts";

/**
 * Header fields by name. `null`, `undefined` or `false` removes a default. Names are compared without regard to case.
 */
export type HeaderOverrides =
  | Readonly<Record<string, string | number | null | undefined | false>>
  | Iterable<readonly [string, string]>
  | { forEach(callback: (value: string, name: string) => void): void };

/**
 * The header of every event stream. `no-transform` keeps compressing middleware and proxies from holding events back,
 * `x-accel-buffering` does the same for nginx. `connection` and `transfer-encoding` are the server's business: on HTTP/2
 * they are errors.
 */
const defaults: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
  "x-content-type-options": "nosniff",
};

/** The default header with `overrides` on top, later ones winning. The objects passed in are only read. */
export function eventStreamHeaders(...overrides: (HeaderOverrides | undefined)[]): ReadonlyMap<string, string> {
  return overrides.every((override) => override === undefined) ? defaultHeaders : mergeHeaders(defaults, ...overrides);
}

const defaultHeaders: ReadonlyMap<string, string> = new Map(Object.entries(defaults));

/** Headers on top of each other, later ones winning. A stream has no length, whoever says so. */
export function mergeHeaders(...layers: (HeaderOverrides | undefined)[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const layer of layers) {
    if (layer === undefined || layer === null) continue;
    for (const [name, value] of headerEntries(layer)) {
      if (value === null || value === undefined || value === false) headers.delete(name.toLowerCase());
      else headers.set(checkedName(name), checkedValue(name, String(value)));
    }
  }
  headers.delete("content-length");
  return headers;
}

function headerEntries(headers: HeaderOverrides): Iterable<readonly [string, unknown]> {
  if (typeof headers !== "object") throw headerError(quote(headers), "pass an object or a Headers");
  if (Symbol.iterator in headers) return headers as Iterable<readonly [string, string]>;
  if (typeof headers.forEach !== "function") return Object.entries(headers);
  const entries: [string, string][] = [];
  headers.forEach((value, name) => {
    entries.push([name, value]);
  });
  return entries;
}

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
