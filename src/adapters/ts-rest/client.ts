// The client of an event route: a native EventSource with typed listeners.
import { SourcecastTypeError } from "../../base/errors.ts";
import { aBoolean, aFunction, allow, anObject, checkOptions, type OptionChecks } from "../../base/options.ts";
import type { AnyContract, ClientEventsOf } from "../../wire/contract.ts";
import { aContract } from "../../wire/contract-check.ts";

/** The names of the parameters in a path: `"user"` for `"/events/:user"`. */
export type ParamsOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamsOf<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/** The options of {@link openEvents}. */
export type OpenEventsOptions<Path extends string = string> = {
  /** The address of the server, without the path of the route. */
  baseUrl: string;
  /** The query of the request. @default none */
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sends cookies to other origins. @default false */
  withCredentials?: boolean;
  /** The class to use instead of the runtime's own. @default globalThis.EventSource */
  EventSource?: EventSourceConstructor;
} & ([ParamsOf<Path>] extends [never] ? object : { params: Readonly<Record<ParamsOf<Path>, string | number>> });

/** The part of an `EventSource` class that this package uses. */
export interface EventSourceLike {
  addEventListener(type: string, listener: (event: WireEvent) => void): void;
  close(): void;
}

/** An event as an `EventSource` dispatches it. */
export interface WireEvent {
  /** The data as text. */
  readonly data: string;
  /** The id of the last event with an id, up to this one. */
  readonly lastEventId: string;
}

/** The class `EventSource` of a runtime or of a package. */
export type EventSourceConstructor = new (url: string, init?: { withCredentials?: boolean }) => EventSourceLike;

/** A client's stream of the events `E`. */
export interface EventStream<E> {
  /** The `EventSource` that receives the stream. */
  readonly source: EventSourceLike;
  /**
   * Adds a listener for events of one type. It gets their data as the contract types it after JSON: a string for a `Date`.
   * Data that was not sent under the contract makes it throw `ERR_SSE_DATA`, which the runtime reports as uncaught.
   */
  on<T extends keyof E & string>(type: T, listener: (data: E[T], event: WireEvent) => void): this;
  /** Closes the stream. */
  close(): void;
}

/**
 * Opens an event route as its client. Listeners get the data of each event as the contract types it.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` on a runtime without an `EventSource`, if the options do not name one.
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
export function openEvents<Path extends string, C extends AnyContract>(
  route: { readonly path: Path; readonly metadata: { readonly events: C } },
  options: OpenEventsOptions<NoInfer<Path>>,
): EventStream<ClientEventsOf<C>> {
  checkOptions(options ?? {}, clientChecks, "openEvents()");
  clientChecks.baseUrl(options?.baseUrl, "baseUrl");
  aContract(route?.metadata?.events, "metadata.events of the route");
  const { baseUrl, query = {}, params, withCredentials = false } = options as OpenEventsOptions & { params?: Params };
  const { EventSource = (globalThis as { EventSource?: EventSourceConstructor }).EventSource } = options;
  if (EventSource === undefined) {
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      "This runtime has no EventSource; pass a class as the option EventSource",
    );
  }
  const path = route.path.replace(/:(\w+)\??/g, (text, name) => {
    const value = params?.[name];
    if (value === undefined && text.endsWith("?")) return "";
    aParameter(value, `params.${name}`);
    return encodeURIComponent(value as string);
  });
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  const url = baseUrl + path + (search.size > 0 ? `?${search}` : "");
  const source = new EventSource(url, { withCredentials });
  const { events } = route.metadata;
  return {
    source,
    on(type, listener) {
      source.addEventListener(type, (event) => listener(events.decode(type, event.data) as never, event));
      return this;
    },
    close: () => source.close(),
  };
}

const aParameter = allow("a string or a number", (value) => typeof value === "string" || typeof value === "number");

const clientChecks: OptionChecks<OpenEventsOptions & { params: Params }> = {
  baseUrl: allow("the address of a server", (value) => typeof value === "string"),
  query: anObject,
  params: anObject,
  withCredentials: aBoolean,
  EventSource: aFunction,
};

type Params = Readonly<Record<string, string | number>>;
