// Keeps a stream that a controller of ts-rest has attached, although the controller returns nothing.
import type { NodeRequest } from "../../sinks/node-request.ts";
import type { NodeResponse } from "../../sinks/node-response.ts";

/**
 * `@ts-rest/express` 3 reads the status of a controller's result, also if there is none: its TypeError goes to the application's
 * error handling, which would answer 500 or, for a stream, destroy the connection. An error handler at the end of the
 * application stops this one error, for requests of ts-rest whose stream is open. It is added once per application.
 */
export function keepStreamOfTsRest(req: NodeRequest, res: NodeResponse): void {
  if (!("tsRestRoute" in req)) return;
  const { app } = res as { app?: ExpressApplication };
  if (app === undefined || applications.has(app)) return;
  applications.add(app);
  app.use((error: unknown, request: NodeRequest, response: NodeResponse, next: (error: unknown) => void) => {
    if (!("tsRestRoute" in request && response.headersSent && isMissingResult(error))) next(error);
  });
}

const applications = new WeakSet<ExpressApplication>();

/** V8's message for `Number(result.status)`. */
function isMissingResult(error: unknown): boolean {
  return error instanceof TypeError && /^Cannot read properties of undefined \(reading 'status'\)$/.test(error.message);
}

/** The part of an application of Express that is used here. */
interface ExpressApplication {
  use(handler: (error: unknown, req: NodeRequest, res: NodeResponse, next: (error: unknown) => void) => void): unknown;
}
