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
export function eventStreamHeaders(...overrides: (HeaderOverrides | undefined)[]): Map<string, string> {
  const headers = new Map(Object.entries(defaults));
  for (const override of overrides) {
    if (override === undefined || override === null) continue;
    for (const [name, value] of headerEntries(override)) {
      if (value === null || value === undefined || value === false) headers.delete(name.toLowerCase());
      else headers.set(name.toLowerCase(), String(value));
    }
  }
  headers.delete("content-length");
  return headers;
}

function headerEntries(headers: HeaderOverrides): Iterable<readonly [string, unknown]> {
  if (typeof headers !== "object") {
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      `The option headers is ${quote(headers)}; pass an object or a Headers`,
    );
  }
  if (Symbol.iterator in headers) return headers as Iterable<readonly [string, string]>;
  return Object.entries(headers);
}
