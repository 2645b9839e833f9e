// Data to value: the inverse of `serializeJson`, for a client under a contract.
import { quote, SourcecastTypeError } from "../base/errors.ts";

/**
 * The value that was sent: empty data is `undefined`, which JSON has no form for, and anything else is JSON.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_DATA` for data that is not JSON.
 */
export function deserialize(data: string): unknown {
  if (data === "") return undefined;
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new SourcecastTypeError(
      "ERR_SSE_DATA",
      `The data ${quote(data)} is not JSON; send the event under the same contract, or declare it as text there`,
      { cause },
    );
  }
}
