// Which entries of its channels a subscription leaves out, as its options say.
import { assertNoPromise } from "../../base/options.ts";
import { clearType } from "../../log/cleared.ts";
import type { LogEntry } from "../../log/log.ts";
import type { Stream } from "../../source/stream.ts";
import type { Permissions } from "../admission/permissions.ts";
import type { SubscribeOptions } from "../options.ts";

/**
 * Whether an entry passes the options `sender` and `filter`. A filter that throws ends the stream: an entry that is
 * left out because of an error would be lost silently, whereas a client whose stream ends comes back for it. The end of
 * a channel is never filtered, since its client would wait forever, nor is a loss. The filter runs in the context of
 * its own client, whoever has published the entry.
 */
export function passesFilter(subscription: FilterContext, entry: LogEntry): boolean {
  const { filter, sender } = subscription.options;
  if (sender !== undefined && entry.sender === sender) return false;
  if (filter === undefined || entry.type === "sse:end" || entry.type === clearType) return true;
  try {
    const wanted = subscription.stream.context.runInAsyncScope(filter, undefined, entry);
    assertNoPromise(wanted, "filter", "true or false");
    return wanted === true;
  } catch (error) {
    subscription.fail(error, "filter");
    return false;
  }
}

/** Asks whether a channel may be read. Without an answer, the client has to reconnect: an entry may be neither sent nor skipped. */
export async function checkPermission({ permissions, stream }: PermittedStream, channel: string): Promise<void> {
  if (!(await permissions.check(channel))) stream.close("error");
}

/** The part of a subscription that filters. */
interface FilterContext {
  readonly options: Pick<SubscribeOptions, "filter" | "sender">;
  readonly stream: Pick<Stream, "context">;
  fail(error: unknown, stage: "filter"): void;
}

/** The part of a subscription that has permissions. */
interface PermittedStream {
  readonly permissions: Pick<Permissions, "check">;
  readonly stream: Pick<Stream, "close">;
}
