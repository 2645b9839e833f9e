// Deleting a chat: its runs are stopped, in whatever process, and the log keeps nothing of them.
import type { HubInternals } from "../hub/internals.ts";
import { type Position, parseCursor } from "../wire/cursor.ts";
import type { Chat } from "./chat.ts";
import { entriesOf } from "./entries.ts";
import type { WrittenEvent } from "./gather.ts";
import { isConflict } from "./run-writer.ts";

/** The runs of this process, as the deletion of a chat uses them. */
export interface OwnRuns {
  /** The events that tell readers that a run was stopped. */
  readonly stopped: readonly WrittenEvent[];
  /** Stops the producer of a run. */
  giveUp(run: string): void;
  /** Resolves when a run of this process is over. */
  finished(run: string): Promise<unknown>;
}

/**
 * Erases a chat. Its index goes first: a run that is elected after that is one of a new chat, and one that was elected before has
 * shown a sign of life before, so it is found.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a log that cannot erase. Nothing has happened then.
 */
export async function eraseChat(hub: HubInternals, chat: Chat, own: OwnRuns): Promise<void> {
  const { channels } = chat;
  const { head, run: newest } = await chat.read();
  const cleared = parseCursor((await hub.channel(channels.index).clear()) ?? "");
  if (cleared !== null) await tellProducers(hub, channels.index, cleared);
  const runs = new Set(newest === null ? [] : [newest.run]);
  const all = { channels: [], prefixes: [channels.prefix] };
  const upTo = cleared?.offset ?? head.top;
  for await (const { entry } of entriesOf(hub.log, all, 0)) {
    const run = channels.runOf(entry.channel);
    if (run !== null && entry.offset <= upTo) runs.add(run);
  }
  for (const run of runs) {
    own.giveUp(run);
    const channel = channels.run(run);
    // Its producer cannot append after that.
    if (!(await chat.signs({ run, channel })).isOver) await chat.end({ channel }, own.stopped);
    await own.finished(run);
    await hub.channel(channel).clear();
    // The end was erased, too. A reader that has not received it would wait forever.
    await chat.end({ channel }, []);
    await hub.channel(channels.lease(run)).clear();
  }
}

/** Tells the producers of the chat, which follow its index and may have read all that was erased. */
async function tellProducers(hub: HubInternals, index: string, after: Position): Promise<void> {
  try {
    await hub.log.append([{ channel: index, type: "delete", data: "", after }]);
  } catch (error) {
    // A run of the new chat tells them, too, and it is not to stop.
    if (!isConflict(error)) throw error;
  }
}
