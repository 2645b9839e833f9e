// A stream that reports its own state in the terms of another protocol, whose clients take every event for their own.
import { assertNoPromise, optionError } from "../../base/options.ts";
import type { LogEntry } from "../../log/log.ts";
import { encodeControl, encodeLater, type LaterReason } from "../../wire/control.ts";
import { formatCursor } from "../../wire/cursor.ts";
import { assertNotReserved, encodeEvent, encodeRetry, serialize } from "../../wire/encode.ts";
import { Frame } from "../../wire/frame.ts";
import type { ControlEvent, Loss, StreamControl } from "../options.ts";

/** Ends the id of a declared loss. It is not a cursor: nothing can be resumed there. */
const lostMark = ".lost";

/** Whether a client has received the declaration of a loss, which ended its stream for good. */
export function isLostId(lastEventId: string): boolean {
  return lastEventId.endsWith(lostMark);
}

/** The option `control` of a subscription, as frames. */
export class Protocol {
  readonly #control: StreamControl;

  constructor(control: StreamControl) {
    this.#control = control;
  }

  /** The event after the last one of all channels; `null` where the protocol has none. */
  end(cursor: string): Frame | null {
    const { end } = this.#control;
    return end === undefined || end === false ? null : Frame.of(encode(end, cursor));
  }

  /**
   * The events that declare a loss, which are the last ones of the stream. The very last one carries an id that is not a
   * cursor, by which the hub stops the client when it reconnects.
   *
   * @param call Calls a function of the application.
   * @throws what the application throws.
   */
  loss(loss: Loss, cursor: string, call: (declare: (loss: Loss) => unknown, loss: Loss) => unknown): Frame {
    const declare = this.#control.loss;
    const id = `${cursor}${lostMark}`;
    if (declare === undefined) return Frame.of(inOwnTerms(loss, id));
    const declared = call(declare, loss);
    assertNoPromise(declared, "control.loss", "an event, or a list of events");
    const events = (Array.isArray(declared) ? declared : [declared]) as readonly ControlEvent[];
    if (events.length === 0 || !events.every(isControlEvent)) {
      throw optionError("control.loss", declared, "a function that returns an event with data, or a list of them");
    }
    return Frame.of(events.map((event, index) => encode(event, index === events.length - 1 ? id : undefined)).join(""));
  }
}

/** The end of a stream in the terms of its protocol: after the last of its channels. `null` before that, or without one. */
export function endInProtocol({ protocol, allEnded, epoch }: Ending, { offset, witness }: LogEntry): Frame | null {
  return allEnded && protocol !== null ? protocol.end(formatCursor({ epoch, offset, witness })) : null;
}

/**
 * Tells a client to come back: by an event, or by the reconnection time alone if clients of another protocol would read
 * the event as one of theirs.
 */
export function laterFrame(protocol: Protocol | null, reason: LaterReason, retryAfter: number): Frame {
  return Frame.of(protocol === null ? encodeLater(reason, retryAfter) : encodeRetry(retryAfter));
}

/** @throws {SourcecastTypeError} for anything but an event with data that can be sent. */
export function assertControlEvent(event: unknown, name: string): void {
  if (!isControlEvent(event)) throw optionError(name, event, "false, or an event with data and perhaps a type");
  encode(event, undefined);
}

function isControlEvent(event: unknown): event is ControlEvent {
  return typeof event === "object" && event !== null && "data" in event;
}

function encode({ type, data }: ControlEvent, id: string | undefined): string {
  if (type !== undefined) assertNotReserved(type);
  return encodeEvent({ type, data: serialize(data), id });
}

/** Without a declaration of the application, the loss is declared as on every other stream: never silently. */
function inOwnTerms({ kind, request: _, ...data }: Loss, id: string): string {
  return kind === "gap"
    ? encodeControl("sse:gap", { ...data, exact: false } as never, id)
    : encodeControl("sse:reset", data as never, id);
}

/** The part of a subscription that decides on its end. */
interface Ending {
  readonly protocol: Protocol | null;
  readonly allEnded: boolean;
  readonly epoch: string;
}
