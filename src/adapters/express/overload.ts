// The error handler that answers requests over the limit of connections.
import { OverloadError } from "../../base/errors.ts";
import { type NodeRequest, respondRetryLater } from "../../sinks/node-request.ts";
import type { NodeResponse } from "../../sinks/node-response.ts";

/**
 * An error handler for Express, registered after the routes. It answers an {@link OverloadError} with a stream that ends
 * immediately and tells the client when to retry: a native `EventSource` gives up for good on any other answer. Other errors
 * go to `next`.
 */
export function overloadHandler(
  error: unknown,
  req: NodeRequest,
  res: NodeResponse,
  next: (error: unknown) => void,
): void {
  if (error instanceof OverloadError && !res.headersSent) respondRetryLater(req, res);
  else next(error);
}
