// An event under a contract: decoded, validated, or reported as invalid.
import type { AnyContract } from "../wire/contract.ts";
import { type TextEvent, withData } from "./events.ts";
import { reportListenerError } from "./listeners.ts";

/**
 * The event that consumers receive; `null` for one that does not fit; a promise where the schema is asynchronous.
 *
 * An event that does not fit never ends the stream: the server would send it again after a reconnect. It never throws either,
 * since it runs within the parser, which would lose the rest of its chunk. The result is a promise only if the schema returns
 * one, because every event after a promise has to wait for it.
 */
export function decodeEvent(
  event: TextEvent,
  { events, validate, onInvalid }: DecodeOptions,
): TextEvent | null | Promise<TextEvent | null> {
  if (events === undefined) return event;
  const reject = (error: unknown): null => {
    try {
      if (onInvalid === undefined) reportListenerError(error);
      else onInvalid(error, event);
    } catch (failure) {
      reportListenerError(failure);
    }
    return null;
  };
  try {
    const value: unknown = events.decode(event.type, event.data);
    if (!validate) return withData(event, value);
    const checked: unknown = events.validate(event.type, value);
    if (!(checked instanceof Promise)) return withData(event, checked);
    return checked.then((settled) => withData(event, settled), reject);
  } catch (error) {
    return reject(error);
  }
}

interface DecodeOptions {
  readonly events?: AnyContract | undefined;
  readonly validate: boolean;
  readonly onInvalid?: ((error: unknown, event: TextEvent) => void) | undefined;
}
