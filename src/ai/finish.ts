// The call of `onFinish`, by the process that has produced the run. A claim in the log comes before it: as long as this process
// shows signs of life, no other one calls it.
import { withDeadline } from "../base/deadline.ts";
import type { Position } from "../log/log.ts";
import type { Beats } from "./beats.ts";
import type { Chat, ElectedRun } from "./chat.ts";
import type { FinishedRun } from "./producer.ts";
import { FencedError, isConflict, type RunWriter } from "./run-writer.ts";

/** Most conflicts in a row. Each means that a sign of life has come in between. */
const maxConflicts = 10;

/** The part of a run that its end uses. */
export interface FinishContext {
  readonly chat: Chat;
  readonly elected: ElectedRun;
  readonly writer: RunWriter;
  /** Milliseconds that `onFinish` may take. */
  readonly finishMs: number;
  readonly onFinish: ((run: FinishedRun) => unknown) | undefined;
  readonly onError: (error: unknown) => void;
}

/**
 * Calls `onFinish` once everything is published.
 *
 * @returns The error of a callback that failed.
 * @throws {FencedError} without a call, when another process completes the run.
 */
export async function callOnFinish(
  context: FinishContext,
  finished: FinishedRun,
  beats: Beats,
): Promise<{ value: unknown } | null> {
  const { onFinish, finishMs, onError } = context;
  if (onFinish === undefined) return null;
  // A log that fails now may fail for long: the application gets the text nevertheless, and another call later at worst.
  const position = await claim(context, finished.outcome, beats).catch((error) => {
    if (error instanceof FencedError) throw error;
  });
  beats.claimed(finished.outcome, position ?? undefined);
  try {
    await withDeadline(onFinish(finished), finishMs, "onFinish()", "finishTimeout");
    return null;
  } catch (error) {
    onError(error);
    return { value: error };
  }
}

async function claim(
  { chat, elected, writer }: FinishContext,
  outcome: FinishedRun["outcome"],
  beats: Beats,
): Promise<Position> {
  for (let conflicts = 0; ; conflicts++) {
    await beats.settled;
    const after = await writer.ownPosition();
    try {
      return await chat.claim(elected, outcome, after);
    } catch (error) {
      if (!isConflict(error) || conflicts >= maxConflicts) throw error;
    }
  }
}
