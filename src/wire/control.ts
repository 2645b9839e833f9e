import { encodeEvent } from "./encode.ts";
import { Frame } from "./frame.ts";

/** What a stream says of itself. The names are refused to applications. */
export type ControlType = "sse:gap" | "sse:reset" | "sse:checkpoint" | "sse:stale" | "sse:end";

/** The data of `sse:gap`: events that this client does not get. */
export interface Gap {
  /** How many are missing; an upper bound when `exact` is false. */
  missed: number;
  /** Offsets of the first and the last missing entry of the log, where there is a log. */
  from?: number;
  to?: number;
  /** `"trimmed"`: the log keeps them no longer. `"overflow"`: this client read too slowly. */
  reason: string;
  exact: boolean;
}

/** A control event. It always has data, since clients dispatch nothing without. */
export function controlFrame(type: ControlType, data: unknown, id?: string): Frame {
  return Frame.of(encodeEvent({ type, data: JSON.stringify(data), id }));
}
