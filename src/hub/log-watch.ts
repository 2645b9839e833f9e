// The parts of a hub that ask its log and know whether it answers; and whether the hub can serve.
import { LogError, SourcecastError } from "../base/errors.ts";
import type { CompleteLog } from "../log/complete.ts";
import { Locator } from "./admission/locator.ts";
import { Feed } from "./feed/feed.ts";
import type { FrameRing } from "./feed/frame-ring.ts";
import { appendTimeout, LogDeadline } from "./log-deadline.ts";
import { LogHealth } from "./log-health.ts";
import type { ResolvedHubOptions } from "./resolve-options.ts";

/** The parts of a hub that watch its log. */
export interface LogWatch {
  readonly deadline: LogDeadline;
  readonly appendDeadline: LogDeadline;
  readonly health: LogHealth;
  readonly feed: Feed;
  readonly locator: Locator;
}

/** Makes these parts for a log. Nothing is asked yet. */
export function watchLog(
  log: CompleteLog,
  ring: FrameRing,
  { limits, onError }: Pick<ResolvedHubOptions, "limits" | "onError">,
): LogWatch {
  const health = new LogHealth(() => deadline.limit(log.head(), "log.head()"));
  const deadline = new LogDeadline(limits.logTimeout, health);
  const appendDeadline = new LogDeadline(limits.publishTimeout, health.ofAppends, appendTimeout);
  const feed = new Feed(log, ring, deadline, health, onError);
  return { deadline, appendDeadline, health, feed, locator: new Locator(feed, deadline) };
}

/**
 * Ends the tail and gives up the questions of connections, then closes the log. It settles the appends that were called before,
 * and their publishers get its outcomes: so their deadline ends last.
 */
export async function closeLog(log: CompleteLog, { feed, deadline, appendDeadline, health }: LogWatch): Promise<void> {
  feed.close();
  deadline.close();
  health.close();
  await log.close();
  appendDeadline.close();
}

/**
 * Resolves when the log answers now, and no outage is known.
 *
 * @param isOpen The hub accepts connections.
 * @throws {SourcecastError} with the failure.
 */
export async function assertReady({ feed, health, locator }: LogWatch, isOpen: boolean): Promise<void> {
  if (!isOpen)
    throw new SourcecastError("ERR_SSE_CLOSED", "The hub is draining or closed; send requests to another process");
  await feed.start();
  await locator.confirm();
  // The log answers, and has just rejected events.
  const { outage } = health;
  if (outage !== null) throw new LogError(outage.error, false);
}
