// The option `compress`, and what a request allows.
import { aBoolean, aCount, aGroup, type OptionCheck, type OptionChecks } from "../base/options.ts";
import type { RequestLike } from "../http/request.ts";
import { zlib } from "./zlib.ts";

/** How a group of streams with the same output is compressed. */
export interface CompressOptions {
  /**
   * How many compressed streams the group must have before its events are compressed. Until then, events are sent
   * uncompressed inside the gzip stream, which adds five bytes to each write. @default 1
   */
  threshold?: number;
}

/** The value of an option `compress`. */
export type Compress = boolean | CompressOptions;

const compressChecks: OptionChecks<CompressOptions> = { threshold: aCount(1) };
const aCompressGroup: OptionCheck = aGroup(compressChecks);

/** The check of an option `compress`. */
export const aCompress: OptionCheck = (value, name) => {
  if (typeof value === "object") aCompressGroup(value, name);
  else aBoolean(value, name);
};

/** The number of streams from which on a group is compressed; `null` for never. */
export function resolveThreshold(compress: Compress | undefined): number | null {
  if (compress === undefined || compress === false) return null;
  return compress === true ? 1 : (compress.threshold ?? 1);
}

/**
 * Whether a response to a request may be a gzip stream: the runtime can make one, and the client can read one and does not
 * prefer to get the bytes as they are (RFC 9110, section 12.5.3).
 */
export function mayCompress({ headers, method }: RequestLike): boolean {
  if (method === "HEAD" || zlib() === null) return false;
  const weights = new Map<string, number>();
  for (const element of (headers.get("accept-encoding") ?? "").toLowerCase().split(",")) {
    const [coding = "", ...parameters] = element.split(";").map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith("q="));
    weights.set(coding, weight === undefined ? 1 : Number(weight.slice(2)) || 0);
  }
  const gzip = weights.get("gzip") ?? weights.get("x-gzip") ?? weights.get("*") ?? 0;
  return gzip > 0 && gzip >= (weights.get("identity") ?? 0);
}
