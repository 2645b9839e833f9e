import type { AnyContract } from "../contract.ts";
import { encodeEvent, refuseReserved, serialize } from "../encode.ts";
import { quote, SourcecastError, SourcecastTypeError } from "../errors.ts";
import type { NewEntry } from "../logs/log.ts";
import { parseCursor } from "./cursor.ts";
import type { PublishOptions } from "./options.ts";

/** One event of several that are published together. */
export interface PublishedEvent extends PublishOptions {
  type: string;
  data?: unknown;
}

/**
 * From what an application publishes to an entry for the log: checked against the contract, made text, and known to be
 * writable, so that nothing gets into the log that could not come out of it.
 */
export async function entryOf(
  channel: string,
  event: PublishedEvent,
  contract: AnyContract | undefined,
  maxSize: number,
): Promise<NewEntry> {
  const { type, key, sender, idempotencyKey, after } = event;
  refuseReserved(type);
  const value = contract === undefined ? event.data : await contract.validate(type, event.data);
  const data = serialize(value);
  if (data.length > maxSize) {
    throw new SourcecastError(
      "ERR_SSE_LIMIT",
      `The data of the event ${quote(type)} has ${data.length} characters, the limit eventSize is ${maxSize}; send less, or a link to it`,
    );
  }
  encodeEvent({ type, data });
  return { channel, type, data, key, sender, idempotencyKey, after: after === undefined ? undefined : offsetOf(after) };
}

function offsetOf(after: string): number {
  const cursor = parseCursor(after);
  if (cursor !== null) return cursor.offset;
  throw new SourcecastTypeError(
    "ERR_SSE_CURSOR",
    `The option after is ${quote(after)}; pass a cursor that dispatch() or hub.cursor() returned`,
  );
}
