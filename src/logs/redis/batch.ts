// A batch of calls, as the queue hands them out, on their way to a script.
import type { AppendCall } from "../../log/append-queue.ts";
import type { NewEntry } from "../../log/log.ts";

/** A call, and a witness for each of its entries. */
export interface WitnessedCall {
  readonly call: AppendCall;
  /** In the order of the entries. */
  readonly witnesses: readonly number[];
}

/** Ids are `<queue>.<number>`, with ascending numbers: the scripts remember the last calls of each queue. */
export function queueOf({ id }: AppendCall): string {
  return id.slice(0, id.lastIndexOf("."));
}

/** The number of a call in its queue. */
export function numberOf({ id }: AppendCall): number {
  return Number(id.slice(id.lastIndexOf(".") + 1));
}

/** Whether an entry is the end of its channel. */
export function isEnd({ type }: NewEntry): boolean {
  return type === "sse:end";
}
