import { quote, SourcecastTypeError } from "../../base/errors.ts";

/** The channel that all connections follow. */
export const everyoneChannel = "everyone";

/** The channel of one id. Its name is that of no prefix, whatever the id: `*` stands for itself. */
export function channelOf(id: string): string {
  if (typeof id === "string" && id !== "" && id.isWellFormed()) {
    return `one:${encodeURIComponent(id).replaceAll("*", "%2A")}`;
  }
  throw new SourcecastTypeError("ERR_SSE_CHANNEL", `The id is ${quote(id)}; pass a string that is not empty`);
}
