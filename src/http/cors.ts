// Which pages of other origins may read a stream (https://fetch.spec.whatwg.org/#http-cors-protocol).
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { aBoolean, aCount, aGroup, allow, anything, type OptionChecks } from "../base/options.ts";
import type { HeaderOverrides } from "./headers.ts";
import type { RequestLike } from "./request.ts";

/**
 * Pages of other origins that may read the stream. `true` and `"*"` allow every origin, without cookies. A string or a list
 * allows those origins. An object says more: see {@link CorsDetails}.
 */
export type CorsOptions = true | string | readonly string[] | CorsDetails;

/** {@link CorsOptions} in full. */
export interface CorsDetails {
  /** `true` or `"*"` for every origin, an origin such as `"https://example.com"`, or a list of them. */
  origin: true | string | readonly string[];
  /**
   * Allows requests with cookies, for which the origins must be named: with every origin, any site that a signed-in user visits
   * could read the user's stream. @default false
   */
  credentials?: boolean;
  /**
   * Request headers that pages may send, in addition to `Last-Event-ID`, `Authorization`, `Cache-Control` and
   * `Content-Type`, which are always allowed. @default whichever the preflight asks for
   */
  headers?: readonly string[];
  /** How long a browser may remember a preflight, in seconds. @default 86_400 */
  maxAge?: number;
}

/** Request headers that clients of event streams send and that need permission. */
const streamRequestHeaders = ["Last-Event-ID", "Authorization", "Cache-Control", "Content-Type"] as const;

const requestedHeadersName = "Access-Control-Request-Headers";

/** The headers that let the page that sent `request` read the response; none if its origin is not allowed. */
export function corsHeaders(cors: CorsOptions, request: RequestLike): PermissionHeaders {
  const { origin: allowed, credentials } = resolveCors(cors);
  if (allowed === true) return { "access-control-allow-origin": "*" };
  const origin = request.headers.get("origin");
  // Caches must not give the response to another origin, whatever it says about this one.
  if (origin === null || !allows(allowed, origin)) return { vary: "Origin" };
  return {
    "access-control-allow-origin": origin,
    vary: "Origin",
    ...(credentials ? { "access-control-allow-credentials": "true" } : {}),
  };
}

/** The headers of the response to a preflight, the `OPTIONS` request with which a browser asks for permission. */
export function preflightHeaders(cors: CorsOptions, request: RequestLike, methods: string): HeaderOverrides {
  const permission = corsHeaders(cors, request);
  if (!("access-control-allow-origin" in permission)) return permission;
  const { headers, maxAge = 86_400 } = resolveCors(cors);
  return {
    ...permission,
    ...(headers === undefined ? { vary: [permission.vary, requestedHeadersName].filter(Boolean).join(", ") } : {}),
    "access-control-allow-methods": methods,
    "access-control-allow-headers": allowedHeaders(headers ?? requestedHeaders(request)),
    "access-control-max-age": String(maxAge),
  };
}

/** Without `access-control-allow-origin`, nothing is permitted. */
type PermissionHeaders = {
  readonly "access-control-allow-origin"?: string;
  readonly "access-control-allow-credentials"?: string;
  readonly vary?: string;
};

function allows(allowed: string | readonly string[], origin: string): boolean {
  return typeof allowed === "string" ? allowed === origin : allowed.includes(origin);
}

/** The standard headers and `more`, each once: names are compared without regard to case. */
function allowedHeaders(more: readonly string[]): string {
  const names = new Map<string, string>();
  for (const name of [...streamRequestHeaders, ...more]) {
    if (!names.has(name.toLowerCase())) names.set(name.toLowerCase(), name);
  }
  return [...names.values()].join(", ");
}

function requestedHeaders(request: RequestLike): string[] {
  const names = request.headers.get(requestedHeadersName)?.split(",") ?? [];
  return names.map((name) => name.trim()).filter((name) => /^[\w!#$%&'*+\-.^`|~]+$/.test(name));
}

/** @throws {SourcecastTypeError} `ERR_SSE_OPTION` for anything but {@link CorsOptions}. */
export function assertCors(cors: unknown): void {
  const details = typeof cors === "object" && cors !== null && !Array.isArray(cors);
  if (details) aGroup(corsChecks)(cors, "cors");
  const { origin, credentials }: { origin?: unknown; credentials?: unknown } = details ? cors : { origin: cors };
  const isEvery = origin === true || origin === "*";
  if (isEvery && credentials === true) {
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      `The option cors has credentials: true and the origin ${quote(origin)}, so every site could read the streams of its visitors with their cookies; list the origins that may, such as ["https://example.com"]`,
    );
  }
  if (isEvery || isOrigin(origin) || (Array.isArray(origin) && origin.every(isOrigin))) return;
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option cors names ${quote(origin)} as its origin; it takes true or "*" for every origin, an origin such as "https://example.com", or a list of origins without "*"`,
  );
}

const isOrigin = (value: unknown): boolean => isText(value) && value !== "*";

/** An empty origin or header name is a mistake, such as an unset environment variable. */
const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

/** The checks of {@link CorsDetails}. */
const corsChecks: OptionChecks<CorsDetails> = {
  // Checked together with the short forms, which are an origin alone.
  origin: anything,
  credentials: aBoolean,
  headers: allow("a list of header names", (value) => Array.isArray(value) && value.every(isText)),
  maxAge: aCount(0),
};

/** The details of all forms of the option; `"*"` and `true` mean the same. */
function resolveCors(cors: CorsOptions): CorsDetails {
  const options: CorsDetails = typeof cors === "object" && "origin" in cors ? cors : { origin: cors };
  return options.origin === "*" ? { ...options, origin: true } : options;
}
