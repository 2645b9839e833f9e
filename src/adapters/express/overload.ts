import { OverloadError } from "../../overload.ts";
import type { NodeResponse } from "../../sinks/node.ts";
import { answerLater, type NodeRequest } from "../../sinks/node-exchange.ts";

/**
 * Error handling for Express, after the routes: answers an {@link OverloadError} with a stream that ends at once and tells
 * the client when to come again, which is all that a native `EventSource` understands. Other errors are passed on.
 */
export function answerOverload(
  error: unknown,
  req: NodeRequest,
  res: NodeResponse,
  next: (error: unknown) => void,
): void {
  if (error instanceof OverloadError && !res.headersSent) answerLater(req, res);
  else next(error);
}
