// A producer into a channel: one event for each piece.
import { aBoolean, aDuration, type OptionChecks } from "../base/options.ts";
import { Pace } from "../base/pace.ts";
import type { Duration } from "../base/units.ts";
import { type Pipeable, type PipeOptions, type PipeResult, type PipeTarget, pipe, pipeChecks } from "../source/pipe.ts";
import { abortWhenUnwanted, type SubscriberCount } from "./lifetime/no-subscribers.ts";

/** The options of `channel.pipe()`. */
export interface ChannelPipeOptions<T> extends PipeOptions<T> {
  /** Ends the channel after the last piece. @default true */
  endChannel?: boolean;
  /** Stops the producer after the channel has had no subscription in this process for this long. @default never */
  stopWithoutSubscribers?: Duration;
}

/** The checks of the options of `channel.pipe()`. */
export const channelPipeChecks: OptionChecks<ChannelPipeOptions<unknown>> = {
  ...pipeChecks,
  endChannel: aBoolean,
  stopWithoutSubscribers: aDuration,
};

/** Publishes each piece before the next one is asked for, and stops the producer when nothing follows the channel, or the hub is closed. */
export function pipeToChannel<T>(
  pieces: Pipeable<T>,
  { name, subscribers, closing, publish }: PipedChannel,
  { endChannel: _, stopWithoutSubscribers, ...options }: ChannelPipeOptions<T>,
): Promise<PipeResult> {
  const pace = new Pace();
  const unwanted = abortWhenUnwanted(subscribers, name, stopWithoutSubscribers, closing);
  const target: PipeTarget = {
    dispatch: async (type, data) => {
      await publish(type, data);
      return true;
    },
    ready: () => pace.ready(),
    signal: unwanted.signal,
    get closeReason() {
      return unwanted.signal.aborted ? (unwanted.signal.reason as string) : null;
    },
  };
  return pipe(pieces, target, options).finally(unwanted.release);
}

/** A channel, as a producer needs it. */
interface PipedChannel {
  readonly name: string;
  readonly subscribers: SubscriberCount;
  /** Aborted when the hub is closed. */
  readonly closing: AbortSignal;
  publish(type: string, data: unknown): Promise<unknown>;
}
