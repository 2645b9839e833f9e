// The client of an event route: subscribe() with the address and the contract of the route.
import { allow, anObject, checkOptions, type OptionChecks } from "../../base/options.ts";
import { type SubscribeOptions, subscribeChecks } from "../../client/options.ts";
import { type Subscription, subscribe } from "../../client/subscribe.ts";
import type { AnyContract } from "../../wire/contract.ts";
import { aContract } from "../../wire/contract-check.ts";

/** The names of the parameters in a path: `"user"` for `"/events/:user"`. */
export type ParamsOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamsOf<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/** The options of {@link openEvents}: those of `subscribe()`, and the parts of the address. */
export type OpenEventsOptions<Path extends string = string, C extends AnyContract = AnyContract> = Omit<
  SubscribeOptions<C>,
  "events"
> & {
  /** The address of the server, without the path of the route. Empty for that of the page. */
  baseUrl: string;
  /** The query of the request. @default none */
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
} & ([ParamsOf<Path>] extends [never] ? object : { params: Readonly<Record<ParamsOf<Path>, string | number>> });

/**
 * Opens an event route as its client: a stream of `subscribe()` that decodes, validates and types data by the contract of the
 * route. It connects with its first listener, reconnects, resumes, and reports losses.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an option that is unknown or has a value that is not allowed.
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
 * stream.onLoss(({ kind }) => console.log(`Events are missing: ${kind}`));
 * ```
 */
export function openEvents<Path extends string, C extends AnyContract>(
  route: { readonly path: Path; readonly metadata: { readonly events: C } },
  options: OpenEventsOptions<NoInfer<Path>, NoInfer<C>>,
): Subscription<C> {
  checkOptions(options ?? {}, clientChecks, "openEvents()");
  clientChecks.baseUrl(options?.baseUrl, "baseUrl");
  aContract(route?.metadata?.events, "metadata.events of the route");
  const { baseUrl, query = {}, params, ...others } = options as OpenEventsOptions & { params?: Params };
  const path = route.path.replace(/:(\w+)\??/g, (text, name) => {
    const value = params?.[name];
    if (value === undefined && text.endsWith("?")) return "";
    aParameter(value, `params.${name}`);
    return encodeURIComponent(value as string);
  });
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  const url = baseUrl + path + (search.size > 0 ? `?${search}` : "");
  return subscribe(url, { ...others, events: route.metadata.events }) as Subscription<C>;
}

const aParameter = allow("a string or a number", (value) => typeof value === "string" || typeof value === "number");

// The contract is that of the route.
const { events: _, ...streamChecks } = subscribeChecks;

const clientChecks: OptionChecks<OpenEventsOptions & { params: Params }> = {
  ...streamChecks,
  baseUrl: allow("the address of a server", (value) => typeof value === "string"),
  query: anObject,
  params: anObject,
};

type Params = Readonly<Record<string, string | number>>;
