// A listener in this process that receives the events of a channel.

import { captureContext, runDetached } from "../../base/async-context.ts";
import { unrefTimeout } from "../../base/clock.ts";
import type { OnError } from "../options.ts";
import { ChannelIterator, type ReadOptions, type ReadTarget } from "./channel-iterator.ts";
import type { AnyReadEvent } from "./read-event.ts";

/** How long a listener waits before it asks a log again that has failed, in milliseconds. */
const retryMs = 1_000;

/**
 * Calls a listener with each event and each loss, one after the other: it may return a promise to wait for. Its failures are
 * reported, and it receives the next event. It does not keep the process alive. It is called in the async context in which it
 * was added.
 *
 * @returns A function that ends the calls.
 */
export function listen(
  target: ReadTarget,
  listener: (event: AnyReadEvent) => unknown,
  options: ReadOptions,
  onError: OnError,
): () => void {
  const iterator = new ChannelIterator(target, options, false);
  const context = captureContext();
  const inContext = (event: AnyReadEvent): unknown => context.runInAsyncScope(listener, undefined, event);
  const report = (error: unknown): void => onError(error, { stage: "subscribe" });
  // A failure of the log is not the listener's: the reading goes on from the same position after a while, since no caller
  // is left who could try again.
  const run = async (): Promise<void> => {
    for (;;) {
      try {
        const { done, value } = await iterator.next();
        if (done) return;
        // Reported here and not below: a failing listener must not slow down the reading.
        await call(inContext, value, report);
      } catch (error) {
        if ((error as { code?: unknown }).code === "ERR_SSE_CLOSED") return;
        report(error);
        await new Promise<void>((resolve) => unrefTimeout(resolve, retryMs));
      }
    }
  };
  // The reading itself is not the request's in which the listener was added: it shares pages and timers with others.
  void runDetached(run);
  return () => void iterator.return();
}

/** Waits for the listener, so that it is never called twice at once, and reports its failure. */
async function call(
  listener: (event: AnyReadEvent) => unknown,
  event: AnyReadEvent,
  report: (error: unknown) => void,
): Promise<void> {
  try {
    await listener(event);
  } catch (error) {
    report(error);
  }
}
