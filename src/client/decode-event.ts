// An event under a contract: decoded, validated, or reported as invalid.
import type { AnyContract } from "../wire/contract.ts";
import type { ParsedEvent } from "../wire/parse.ts";
import { ReceivedEvent, type TextEvent } from "./events.ts";
import { reportListenerError } from "./listeners.ts";

/**
 * The event that consumers receive, with text as its data without a contract; `null` for one that does not fit; a promise where the
 * schema is asynchronous.
 *
 * An event that does not fit never ends the stream: the server would send it again after a reconnect. It never throws either,
 * since it runs within the parser, which would lose the rest of its chunk. The result is a promise only if the schema returns
 * one, because every event after a promise has to wait for it.
 */
export function decodeEvent(
  event: ParsedEvent,
  { events, validate, onInvalid }: DecodeOptions,
): TextEvent | null | Promise<TextEvent | null> {
  if (events === undefined) return new ReceivedEvent(event, event.data);
  const reject = (error: unknown): null => {
    try {
      if (onInvalid === undefined) reportListenerError(error);
      else onInvalid(error, new ReceivedEvent(event, event.data));
    } catch (failure) {
      reportListenerError(failure);
    }
    return null;
  };
  try {
    const value: unknown = events.decode(event.type, event.data);
    if (!validate) return new ReceivedEvent(event, value);
    const checked: unknown = events.validate(event.type, value);
    if (!(checked instanceof Promise)) return new ReceivedEvent(event, checked);
    return checked.then((settled) => new ReceivedEvent(event, settled), reject);
  } catch (error) {
    return reject(error);
  }
}

interface DecodeOptions {
  readonly events?: AnyContract | undefined;
  readonly validate: boolean;
  readonly onInvalid?: ((error: unknown, event: TextEvent) => void) | undefined;
}
