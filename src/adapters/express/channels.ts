// The channels that the manager publishes on: one for everyone, and one for each id.
import { quote, SourcecastTypeError } from "../../base/errors.ts";

/** The channel that every connection subscribes to. */
export const everyoneChannel = "everyone";

/** The channel of one id. A `*` in the id is escaped, so that the name is never taken for a prefix. */
export function channelOf(id: string): string {
  if (typeof id === "string" && id !== "" && id.isWellFormed()) {
    return `one:${encodeURIComponent(id).replaceAll("*", "%2A")}`;
  }
  throw new SourcecastTypeError("ERR_SSE_CHANNEL", `The id is ${quote(id)}; pass a string that is not empty`);
}
