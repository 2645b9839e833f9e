// channelsOf(): the channels that a request names, as far as the application allows them.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { checkOptions, type OptionChecks, optionError } from "../base/options.ts";
import type { RequestProblem } from "../http/early-response.ts";
import { type FormRequest, readForm } from "../http/form.ts";
import { hasPrefix } from "../log/selection.ts";
import type { SubscribeOptions } from "./options.ts";
import { nameProblem } from "./selection.ts";

/**
 * The lists of channels that came from a request as they are: a mistake in them is one of the client. With the problem of a
 * form that could not be read, for which the list is empty.
 */
const requestedLists = new WeakMap<readonly string[], RequestProblem | null>();

/**
 * How many names of one request the application is asked about. Any further name is rejected, because such a request is
 * over any sensible limit.
 */
const maxAskedNames = 1_000;

/** The options of {@link channelsOf}. */
export interface ChannelsOfOptions {
  /**
   * The channels that the client may follow:
   *
   * - A list of names and prefixes such as `orders/*`. A prefix allows the names that begin with it. The client may follow a
   *   whole prefix only if it is in the list as such.
   * - A function, which is called with each name that the request asks for. Any result but `true` rejects the name. A prefix is
   *   rejected without a call: the function could not say which of the channels under it, now or later, the client may follow.
   *
   * `*` alone is never allowed: no page may follow everything.
   */
  allow: readonly string[] | ((channel: string) => boolean | Promise<boolean>);
}

/** The part of a subscription's options that {@link channelsOf} reads from a request. */
export type RequestedChannels = Pick<SubscribeOptions, "channels" | "join" | "label" | "forbidden">;

/**
 * Reads the channels that a client asks for: the query parameters `channel`, `join` and `label`, and the same fields of a POST
 * with a form. Spread the result into the options of `hub.response()` or `respond()`.
 *
 * @param request The request of a web framework, of `node:http`, or of a framework that extends one of the two. The body of a
 * form must not have been read, unless the framework has put it on `request.body`.
 * @returns The channels. Those that `allow` rejects are in `forbidden`: the client is told that they are forbidden, and
 * gets the others. If the request names none, or one that is not valid, the hub answers 400 with the reason, without a
 * report to `onError`. It answers 413 to a form of more than a megabyte, and 408 to one that has not arrived within 10 s.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid `allow`, `ERR_SSE_ARGUMENT` for anything but a request, and for
 * a form that has been read already. It rejects with the error of `allow`.
 * @example
 * ```ts
 * import { channelsOf, createHub } from "sourcecast";
 *
 * const hub = createHub();
 * const request = new Request("http://localhost/events?channel=news&channel=orders/7");
 * console.log(await channelsOf(request, { allow: ["news", "orders/*"] })); // { channels: [ 'news', 'orders/7' ] }
 *
 * const response = await hub.response(request, await channelsOf(request, { allow: ["news", "orders/*"] }));
 * console.log(response.status); // 200
 * await hub.close();
 * ```
 */
export async function channelsOf(request: FormRequest, options: ChannelsOfOptions): Promise<RequestedChannels> {
  checkOptions(options ?? {}, channelsOfChecks, "channelsOf()");
  const isAllowed = compileAllow(options?.allow);
  const fields = await readForm(request);
  if (!(fields instanceof URLSearchParams)) {
    const none: string[] = [];
    requestedLists.set(none, fields);
    return { channels: none };
  }
  const held = unique(fields.getAll("channel"));
  const joining = unique(fields.getAll("join")).filter((name) => !held.includes(name));
  const names = [...held, ...joining];
  const answers = await Promise.all(
    // The hub rejects the request for a name that is not valid: the application need not be asked about it.
    names.map(
      (name) => nameProblem(name) !== null || (names.length <= maxAskedNames && name !== "*" && isAllowed(name)),
    ),
  );
  const allowed = new Set(names.filter((_, index) => answers[index] === true));
  const join = joining.filter((name) => allowed.has(name));
  const forbidden = names.filter((name) => !allowed.has(name));
  const channels = held.filter((name) => allowed.has(name));
  requestedLists.set(channels, null);
  return {
    channels,
    ...(join.length > 0 && { join }),
    ...(fields.get("label") === "1" && { label: true }),
    ...(forbidden.length > 0 && { forbidden }),
  };
}

/**
 * The mistake in the channels of a request, in words for its client.
 *
 * @param error Of the check of the channels.
 * @returns `null` if the application may have made the mistake: clients are not told its names.
 */
export function requestProblem(
  { channels, join, forbidden }: RequestedChannels,
  error: unknown,
): RequestProblem | null {
  const isAboutChannels = error instanceof SourcecastTypeError && error.code === "ERR_SSE_CHANNEL";
  const problem = requestedLists.get(channels);
  if (!isAboutChannels || problem === undefined) return null;
  if (problem !== null) return problem;
  const isEmpty = channels.length === 0 && join === undefined && forbidden === undefined;
  const empty = "The request names no channel; add one to the address, as in ?channel=news";
  return { message: isEmpty ? empty : error.message };
}

/** @throws {SourcecastTypeError} for anything but a list of names and prefixes, and a function. */
function compileAllow(allow: ChannelsOfOptions["allow"] | undefined): (name: string) => boolean | Promise<boolean> {
  // A prefix stands for names that the function was never asked about.
  if (typeof allow === "function") return (name) => !isPrefix(name) && allow(name);
  if (!Array.isArray(allow)) {
    throw optionError(
      "allow of channelsOf()",
      allow,
      'a list of channel names and of prefixes such as "orders/*", or a function that returns true for each name that the client may follow',
    );
  }
  for (const name of allow) {
    const problem =
      name === "*" ? ["is every channel", "list the names and prefixes that the client may follow"] : nameProblem(name);
    if (problem === null) continue;
    const [found, remedy] = problem;
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      `The option allow of channelsOf() has the name ${quote(name)}, which ${found}; ${remedy}`,
    );
  }
  const listed = new Set<string>(allow);
  const prefixes = allow.filter(isPrefix).map((name) => name.slice(0, -1));
  return (name) => listed.has(name) || (!isPrefix(name) && prefixes.some((prefix) => hasPrefix(name, prefix)));
}

function isPrefix(name: string): boolean {
  return name.endsWith("*");
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}

const channelsOfChecks: OptionChecks<ChannelsOfOptions> = { allow: compileAllow as (value: unknown) => void };
