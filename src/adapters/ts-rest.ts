// sourcecast/ts-rest: event routes in a ts-rest contract, their controllers, and a typed client.
import { SourcecastTypeError } from "../base/errors.ts";
import { aFunction, aName, anObject, checkOptions, checkSpelling, type OptionChecks } from "../base/options.ts";
import { isClaimed } from "../sinks/claim.ts";
import type { AnyContract } from "../wire/contract.ts";
import { aContract } from "../wire/contract-check.ts";
import { type OpenEventsOptions, openEvents, type ParamsOf } from "./ts-rest/client.ts";

export { type OpenEventsOptions, openEvents, type ParamsOf };

/** A route of a ts-rest contract that answers with events, as {@link eventRoute} takes it. */
export interface EventRouteInit {
  /** The path of the route, with parameters as ts-rest writes them. */
  readonly path: string;
  /** The contract of the events, from `defineEvents()` of `sourcecast/contract`. */
  readonly events: AnyContract;
  /** Schemas of the responses that the route may send instead of a stream, by status. @default none */
  readonly responses?: object;
  /** Metadata of the route. @default none */
  readonly metadata?: object;
}

/**
 * A route in the form that ts-rest expects. The stream is the response 200, without a body that ts-rest could check.
 */
export interface EventRoute<Path extends string, Contract, Responses, Metadata> {
  /** Streams are requested by `GET`. */
  readonly method: "GET";
  /** The path of the route. */
  readonly path: Path;
  /** The responses by status, with 200 for the stream. */
  readonly responses: (Responses extends object ? Responses : unknown) & { 200: null };
  /** The metadata, with the contract of the events. */
  readonly metadata: (Metadata extends object ? Metadata : unknown) & { readonly events: Contract };
}

/**
 * Creates an event route for a ts-rest contract, typed by the events that it sends. A browser may import it.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option.
 * @example
 * ```ts excerpt examples/ts-rest/contract.ts
 * import { initContract } from "@ts-rest/core";
 * import { defineEvents } from "sourcecast/contract";
 * import { eventRoute } from "sourcecast/ts-rest";
 * import { z } from "zod";
 *
 * const c = initContract();
 *
 * const message = z.object({ id: z.string(), message: z.string() });
 *
 * export const events = defineEvents({ message });
 *
 * export const contract = c.router({
 *   getEvents: eventRoute({
 *     path: "/events",
 *     events,
 *   }),
 * });
 * ```
 */
export function eventRoute<const R extends EventRouteInit>(
  route: R,
): Omit<R, "events" | "responses" | "metadata"> & EventRoute<R["path"], R["events"], R["responses"], R["metadata"]> {
  const { path, events, responses, metadata, ...others } = route ?? {};
  checkOptions({ responses, metadata }, routeChecks, "eventRoute()");
  routeChecks.path(path, "path");
  routeChecks.events(events, "events");
  checkSpelling(others, routeChecks, "eventRoute()");
  return {
    ...others,
    path,
    method: "GET",
    responses: { ...responses, 200: null },
    metadata: { ...metadata, events },
  } as never;
}

// The other properties of a route are those of ts-rest.
const routeChecks: OptionChecks<EventRouteInit> = {
  path: aName,
  events: aContract,
  responses: anObject,
  metadata: anObject,
};

/**
 * Wraps a controller of an event route, which opens a stream on `res` and returns nothing. ts-rest handles an error
 * that it throws, and a result that it returns instead of a stream, as for any other route.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for anything but a function; in a request, when a controller neither opened a stream nor returned a result.
 * @example
 * ```ts excerpt examples/ts-rest/server.ts
 * import { eventHandler } from "sourcecast/ts-rest";
 * import { contract, events } from "./contract.ts";
 *
 * const s = initServer();
 * const router = s.router(contract, {
 *   getEvents: eventHandler(async ({ req, res }) => {
 *     const user = userOf(req);
 *     if (user === undefined) return { status: 401, body: { error: "Say who you are: ?user=" } };
 *     sse.attach(user, res);
 *   }),
 * });
 * ```
 */
export function eventHandler<I extends { res: object }>(
  controller: (input: I) => unknown,
): (input: I) => Promise<never> {
  aFunction(controller, "controller");
  return async (input) => {
    const result = await controller(input);
    const { res } = input;
    // ts-rest leaves a body that is a stream to its own pipe(); this one is piped already.
    if (isClaimed(res)) return { status: 200, body: Object.create(res, { pipe: { value: () => res } }) } as never;
    if (result !== undefined) return result as never;
    throw new SourcecastTypeError(
      "ERR_SSE_ARGUMENT",
      "The controller opened no stream and returned nothing; call attach(id, res) or openEventSource(req, res), or return a result",
    );
  };
}
