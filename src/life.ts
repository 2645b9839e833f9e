/**
 * Why a source is closed: `"closed"` by the application unless it gave a reason of its own, `"disconnected"` by the client
 * or the network, `"overflow"` because the client read too slowly, `"stalled"` because it stopped reading, `"unread"`
 * because its response was not returned from the route, `"shutdown"` because the process ends.
 */
export type CloseReason = "closed" | "disconnected" | "overflow" | "stalled" | "unread" | "shutdown" | (string & {});

/** Heard once by the listeners of a source, whatever ended it. */
export class SourceCloseEvent extends Event {
  readonly reason: CloseReason;

  constructor(reason: CloseReason) {
    super("close");
    this.reason = reason;
  }
}

/** Something failed in the background of a source, such as the producer of a `pipe`. A client that left is no error. */
export class SourceErrorEvent extends Event {
  readonly error: unknown;

  constructor(error: unknown) {
    super("error");
    this.error = error;
  }
}

/** The client reads too slowly: the next frame would exceed `maxBufferedBytes`. */
export class SourceOverflowEvent extends Event {
  /** Bytes that wait for the client, without the frame that did not fit. */
  readonly bufferedAmount: number;
  /** Events that were dropped on this source so far. */
  readonly dropped: number;

  constructor(bufferedAmount: number, dropped: number) {
    super("overflow");
    this.bufferedAmount = bufferedAmount;
    this.dropped = dropped;
  }
}

/** The events of a source's own life. They are heard by listeners on the server and never written. */
export interface SourceEventMap {
  open: Event;
  close: SourceCloseEvent;
  error: SourceErrorEvent;
  overflow: SourceOverflowEvent;
  drain: Event;
}

/** As in the DOM standard, for programs without its types. */
export type ListenerOptions = boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal };

const lifeEvents: ReadonlySet<string> = new Set(["open", "close", "error", "overflow", "drain"]);

/** A wire event of such a type is written but not heard locally: the two are never mixed up. */
export function isLifeEvent(type: string): type is keyof SourceEventMap {
  return lifeEvents.has(type);
}
