// The events of a response as a list, for tests of applications.
import { aBoolean, aCount, aDuration, checkOptions, type OptionChecks, optionError } from "../base/options.ts";
import type { Duration } from "../base/units.ts";
import type { ParsedEvent } from "../wire/parse.ts";
import { EventReader, isControl } from "./event-reader.ts";

/** The options of {@link collect}. */
export interface CollectOptions {
  /** Events after which the stream is canceled. @default no limit: it is read to its end */
  limit?: number;
  /** Time after which the promise is rejected, if the stream has not ended. @default "5s" */
  timeout?: Duration;
  /** Includes the events that a hub sends on its own, such as `sse:checkpoint`. @default false */
  control?: boolean;
}

const checks: OptionChecks<CollectOptions> = { limit: aCount(1), timeout: aDuration, control: aBoolean };

/**
 * Reads a response or its body to the end, or up to a number of events, and then leaves.
 *
 * @throws {Error} When the deadline passes, with the events that arrived before it.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for options that are not allowed.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { collect } from "sourcecast/testing";
 *
 * await using hub = createHub();
 * const news = hub.channel("news");
 * const response = await news.response(new Request("http://localhost/news"));
 * await news.dispatch("headline", { title: "Rain tomorrow" });
 * const [headline] = await collect(response, { limit: 1 });
 * console.log(headline?.type, headline?.data); // headline {"title":"Rain tomorrow"}
 * ```
 */
export async function collect(
  response: Response | ReadableStream<Uint8Array> | Promise<Response>,
  options: CollectOptions = {},
): Promise<ParsedEvent[]> {
  checkOptions(options, checks, "collect()");
  const { limit = Number.POSITIVE_INFINITY, timeout = "5s", control = false } = options;
  const awaited = await response;
  const body = awaited instanceof ReadableStream ? awaited : awaited?.body;
  if (body === undefined) throw optionError("response", awaited, "a Response, its body, or a promise of a Response");
  const reader = new EventReader(body, "", timeout);
  const collected = () => reader.events.filter((event) => control || !isControl(event));
  try {
    await reader.until(() => collected().length >= limit);
  } finally {
    // Also after the deadline: a stream that stays open would keep its subscription in the hub.
    await reader.cancel();
  }
  // One piece of the body may have brought more events than the limit.
  return collected().slice(0, limit);
}
