// The channels that the manager publishes on: one for everyone, and one for each id.
import { createHash } from "node:crypto";
import { quote, SourcecastTypeError } from "../../base/errors.ts";

/** The channel that every connection subscribes to. */
export const everyoneChannel = "everyone";

/** The longest id that the name of a channel has room for, escaped and with its prefix. */
const maxIdLength = 240;

/**
 * The channel of one id. An id may be any string, a channel's name may not: characters with a meaning there are escaped, and
 * a long id is hashed.
 *
 * @throws {SourcecastTypeError} for anything that is not a string with at least one character.
 */
export function channelOf(id: string): string {
  if (typeof id !== "string" || id === "") {
    throw new SourcecastTypeError("ERR_SSE_ARGUMENT", `The id is ${quote(id)}; pass a string that is not empty`);
  }
  const name = id.replace(/[%*\p{Cc}\p{Cs}]/gu, (character) => `%${character.charCodeAt(0).toString(16)};`);
  if (name.length <= maxIdLength) return `one:${name}`;
  // A hash of UTF-16, since lone surrogates are all the same in UTF-8.
  return `hash:${createHash("sha256").update(Buffer.from(id, "utf16le")).digest("base64url")}`;
}
