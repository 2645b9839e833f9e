import type { AnyContract, OutputEventsOf } from "../contract.ts";
import { SourcecastTypeError } from "../errors.ts";
import { isTaken } from "../taken.ts";

/** The route of a ts-rest contract that answers with events. */
export interface EventRouteInit {
  readonly path: string;
  /** From `defineEvents()` of `sourcecast/contract`. */
  readonly events: AnyContract;
  /** What may come in place of the stream, by status. */
  readonly responses?: object;
  readonly metadata?: object;
}

/** What {@link eventRoute} adds to that. There is no body that ts-rest could check. */
export interface EventRoute<Path extends string, Contract, Responses, Metadata> {
  readonly method: "GET";
  readonly path: Path;
  readonly responses: (Responses extends object ? Responses : unknown) & { 200: null };
  readonly metadata: (Metadata extends object ? Metadata : unknown) & { readonly events: Contract };
}

/** The parameters in a path: `"user"` of `"/events/:user"`. */
export type ParamsOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamsOf<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/** The options of {@link openEvents}. */
export type OpenEventsOptions<Path extends string = string> = {
  baseUrl: string;
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sends cookies to other origins. @default false */
  withCredentials?: boolean;
  /** In place of the runtime's own. */
  EventSource?: EventSourceConstructor;
} & ([ParamsOf<Path>] extends [never] ? object : { params: Readonly<Record<ParamsOf<Path>, string | number>> });

/** What is needed of a client's `EventSource`. */
export interface EventSourceLike {
  addEventListener(type: string, listener: (event: WireEvent) => void): void;
  close(): void;
}

export interface WireEvent {
  readonly data: string;
  readonly lastEventId: string;
}

export type EventSourceConstructor = new (url: string, init?: { withCredentials?: boolean }) => EventSourceLike;

/** A client's stream of the events `E`. */
export interface EventStream<E> {
  readonly source: EventSourceLike;
  on<T extends keyof E & string>(type: T, listener: (data: E[T], event: WireEvent) => void): this;
  close(): void;
}

/**
 * An event route for a ts-rest contract, typed by the events that it sends. A browser may import it.
 *
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
  const { events, responses, metadata, ...rest } = route;
  return { ...rest, method: "GET", responses: { ...responses, 200: null }, metadata: { ...metadata, events } } as never;
}

/**
 * A controller for an event route: it opens a stream on `res` and returns nothing. What it throws, and what it returns in
 * place of a stream, is ts-rest's to answer as ever.
 *
 * @throws {SourcecastTypeError} when a controller neither opened a stream nor returned a result.
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
  return async (input) => {
    const result = await controller(input);
    const { res } = input;
    // ts-rest leaves a body that is a stream to its own pipe(); this one is there already.
    if (isTaken(res)) return { status: 200, body: Object.create(res, { pipe: { value: () => res } }) } as never;
    if (result !== undefined) return result as never;
    throw new SourcecastTypeError(
      "ERR_SSE_REQUEST",
      "The controller opened no stream and returned nothing; call attach(id, res) or openEventSource(req, res), or return a result",
    );
  };
}

/**
 * Opens an event route as its client, with the data of each event as the contract types it.
 *
 * @example
 * ```ts excerpt examples/ts-rest/client.ts
 * import { openEvents } from "sourcecast/ts-rest";
 * import { contract } from "./contract.ts";
 *
 * const stream = openEvents(contract.getEvents, { baseUrl: "http://localhost:3000", query: { user: "ann" } });
 *
 * stream.on("message", ({ id, message }, event) => {
 *   console.log(`${id.padStart(4)}: ${message} (${event.lastEventId})`);
 * });
 * ```
 */
export function openEvents<Path extends string, C>(
  route: { readonly path: Path; readonly metadata: { readonly events: C } },
  options: OpenEventsOptions<NoInfer<Path>>,
): EventStream<OutputEventsOf<C>> {
  const { baseUrl, query = {}, params, withCredentials = false } = options as OpenEventsOptions & { params?: Params };
  const { EventSource = (globalThis as { EventSource?: EventSourceConstructor }).EventSource } = options;
  if (EventSource === undefined) {
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      "This runtime has no EventSource; pass a class as the option EventSource",
    );
  }
  const path = route.path.replace(/:(\w+)\??/g, (_, name) => encodeURIComponent(params?.[name] ?? ""));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  const url = baseUrl + path + (search.size > 0 ? `?${search}` : "");
  const source = new EventSource(url, { withCredentials });
  return {
    source,
    on(type, listener) {
      source.addEventListener(type, (event) => listener(parse(event.data), event));
      return this;
    },
    close: () => source.close(),
  };
}

type Params = Readonly<Record<string, string | number>>;

/** Text stays as it was dispatched, anything else was JSON. */
function parse(data: string): never {
  try {
    return JSON.parse(data) as never;
  } catch {
    return data as never;
  }
}
