import { SourcecastTypeError } from "../../base/errors.ts";
import type { OutputEventsOf } from "../../wire/contract.ts";

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
