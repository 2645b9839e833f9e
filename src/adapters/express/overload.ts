import { OverloadError } from "../../base/errors.ts";
import type { NodeResponse } from "../../sinks/node.ts";
import { type NodeRequest, respondRetryLater } from "../../sinks/node-request.ts";

/**
 * Error handling for Express, after the routes: answers an {@link OverloadError} with a stream that ends at once and tells
 * the client when to come again, which is all that a native `EventSource` understands. Other errors are passed on.
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
