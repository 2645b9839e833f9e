import { quote, SourcecastTypeError } from "../base/errors.ts";
import type { RequestLike } from "./request.ts";

/**
 * Which pages of other origins may read the stream. `true` or `"*"`: all, without cookies. A string or a list: those origins.
 * With `credentials`, cookies are allowed and the origin is named in the answer, as browsers demand.
 */
export type CorsOptions =
  | true
  | string
  | readonly string[]
  | { origin: true | string | readonly string[]; credentials?: boolean; maxAge?: number };

/** What clients of event streams send beyond the headers that need no permission. */
const allowedHeaders = "Last-Event-ID, Authorization, Cache-Control, Content-Type";
const allowedMethods = "GET, POST, OPTIONS";

/** The headers that let the page that sent `request` read the answer; none where its origin is not allowed. */
export function corsHeaders(cors: CorsOptions, request: RequestLike): Record<string, string> {
  const { origin: allowed, credentials } = resolveCors(cors);
  const origin = request.headers.get("origin");
  if (allowed === true && !credentials) return { "access-control-allow-origin": "*" };
  if (origin === null) return { vary: "Origin" };
  if (allowed !== true && !(typeof allowed === "string" ? [allowed] : allowed).includes(origin))
    return { vary: "Origin" };
  return {
    "access-control-allow-origin": origin,
    vary: "Origin",
    ...(credentials ? { "access-control-allow-credentials": "true" } : {}),
  };
}

/** The headers of the answer to the `OPTIONS` request with which a browser asks first. */
export function preflightHeaders(cors: CorsOptions, request: RequestLike): Record<string, string> {
  return {
    ...corsHeaders(cors, request),
    "access-control-allow-methods": allowedMethods,
    "access-control-allow-headers": allowedHeaders,
    "access-control-max-age": String(resolveCors(cors).maxAge ?? 86_400),
  };
}

function resolveCors(cors: CorsOptions): {
  origin: true | string | readonly string[];
  credentials?: boolean;
  maxAge?: number;
} {
  const options = typeof cors === "object" && cors !== null && "origin" in cors ? cors : { origin: cors };
  const { origin } = options;
  if (origin === "*") return { ...options, origin: true };
  if (origin === true || typeof origin === "string") return { ...options, origin };
  if (Array.isArray(origin) && origin.every((one) => typeof one === "string")) return { ...options, origin };
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option cors names ${quote(origin)} as its origin; it takes true, an origin such as "https://example.com" or a list of them`,
  );
}
