import { SourcecastError } from "./errors.ts";

/**
 * There are too many connections already. It is thrown before anything was sent; whoever answers in its place should not
 * answer with an error status, which stops a native `EventSource` for good.
 */
export class OverloadError extends SourcecastError {
  constructor(message: string) {
    super("ERR_SSE_LIMIT", message);
    this.name = "OverloadError";
  }
}
