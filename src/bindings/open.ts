// How bindings open a stream from options that a component writes inline: new objects and functions at each rendering.
import type { SubscribeOptions } from "../client/options.ts";
import type { PerAttempt } from "../client/request.ts";
import { type Subscription, subscribe } from "../client/subscribe.ts";
import type { AnyContract } from "../wire/contract.ts";

/**
 * A string that differs if another stream is needed: for another address, other channels, another body. Functions are
 * left out, since components make new ones at each rendering, and so is `after`, which only says where to begin.
 */
export function keyOf(address: unknown, options: SubscribeOptions<AnyContract | undefined>): string {
  return JSON.stringify([address, { ...options, events: undefined, after: undefined, signal: undefined }]);
}

/**
 * Opens a stream. Components write their options inline, so equal headers are other objects in each of them: they share a
 * connection if the data is equal and the functions are the same.
 *
 * @param after The position that the component has reached, before which that of the options counts; `""` at first.
 * @param given The options as the component has them, if `options` has other functions.
 */
export function open<C extends AnyContract | undefined>(
  url: PerAttempt<string | URL>,
  options: SubscribeOptions<C>,
  after: string,
  { headers, body, fetch, shouldRetry, share, identity }: SubscribeOptions<C> = options,
): Subscription<C> {
  const parts = [headers, body, fetch, shouldRetry];
  // Tabs share for a user, whom only the application knows.
  const isComparable = identity === undefined && share !== "browser" && parts.some(Boolean);
  return subscribe(url, {
    ...options,
    ...(isComparable && { identity: JSON.stringify(parts.map(referTo)) }),
    ...(after !== "" && { after }),
  });
}

const references = new WeakMap<object, number>();
let lastReference = 0;

/** Data stands for itself, and a number for a function, or for an object that JSON would not distinguish. */
function referTo(part: unknown): unknown {
  const object = Object(part);
  if (object !== part || object.constructor === Object || Array.isArray(part)) return [part];
  if (!references.has(object)) references.set(object, ++lastReference);
  return references.get(object);
}

/** Whether components are only rendered here, so that nothing may open a connection. */
export function isServer(): boolean {
  return !("document" in globalThis);
}
