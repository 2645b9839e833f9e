// The consumers of a stream: listeners, and loops with their buffers. Everything they receive goes through here, in order.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { isControlType, type StreamLoss, type StreamStatus, type TextEvent } from "./events.ts";
import { type BufferOwner, EventBuffer, type IterationOptions, type WaitingEvent } from "./iterators.ts";
import { Listeners } from "./listeners.ts";

/**
 * Listeners never wait for loops. A loop that is full stops the reading of the network, for all, since there is only one
 * connection. A loop that may be slow chooses another policy by its option `whenFull`.
 */
export class Consumers implements BufferOwner {
  readonly losses: Listeners<StreamLoss> = new Listeners();
  readonly statuses: Listeners<StreamStatus> = new Listeners();
  readonly comments: Listeners<string> = new Listeners();
  readonly #events: Listeners<TextEvent> = new Listeners();
  readonly #buffers = new Set<EventBuffer>();
  /** Called when a loop that was full has room again. */
  readonly #onRoom: () => void;
  /** The position after the last event that listeners received. */
  #lastEventId: string;
  #delivered = 0;

  constructor(lastEventId: string, onRoom: () => void) {
    this.#lastEventId = lastEventId;
    this.#onRoom = onRoom;
  }

  /**
   * The position up to which all consumers have received the stream.
   *
   * @param idle The position of the connection if nothing before it is missing: it moves with events of other subscriptions.
   */
  cursorUpTo(idle: string): string {
    let oldest: WaitingEvent | undefined;
    for (const buffer of this.#buffers) {
      const waiting = buffer.oldest;
      if (waiting !== undefined && (oldest === undefined || waiting.number < oldest.number)) oldest = waiting;
    }
    return oldest?.before ?? (idle || this.#lastEventId);
  }

  /** True while a loop is full. */
  get full(): boolean {
    for (const buffer of this.#buffers) if (buffer.full) return true;
    return false;
  }

  /** Makes room in the loops that are full, where the stream cannot wait for them. */
  overflow(): void {
    for (const buffer of this.#buffers) buffer.overflow();
  }

  /** Adds a listener for one type, or for all with `"*"`. @returns Removes it. */
  listen(type: string, listener: (...args: never[]) => void): () => void {
    if (isControlType(type)) {
      throw new SourcecastTypeError(
        "ERR_SSE_ARGUMENT",
        `The event type is ${quote(type)}, which no listener receives; use onLoss() for losses, and closed for ends`,
      );
    }
    const ofData = listener as (data: unknown, event: TextEvent) => void;
    const isOfEvents = type === "*" || typeof listener !== "function";
    return this.#events.add(type, isOfEvents ? (listener as never) : (event) => ofData(event.data, event));
  }

  /** A buffer for one loop, which begins with the next event. */
  buffer(options: IterationOptions): EventBuffer {
    const buffer = new EventBuffer(options, this);
    this.#buffers.add(buffer);
    return buffer;
  }

  /**
   * Hands an event to loops, then to listeners: a listener that closes the stream ends the loops after this event. The position
   * moves last. A listener that stores `cursor` stores the one before its event, so a crash repeats an event and loses none.
   */
  deliver(event: TextEvent): void {
    if (this.#buffers.size > 0) {
      const waiting = { event, number: this.#delivered++, before: this.#lastEventId };
      for (const buffer of this.#buffers) buffer.push(waiting);
    }
    this.#events.call(event.type, event);
    this.#lastEventId = event.lastEventId;
  }

  /** The position has moved without an event: a checkpoint, a loss, an event that does not fit the contract. */
  moveTo(lastEventId: string): void {
    this.#lastEventId = lastEventId;
  }

  /** Ends the loops after the events that wait for them. */
  end(error: unknown): void {
    for (const buffer of this.#buffers) buffer.end(error);
  }

  // --- BufferOwner ---

  onRoom(): void {
    this.#onRoom();
  }

  /** The loop that was left may have been the one that was full. */
  onLeave(buffer: EventBuffer): void {
    this.#buffers.delete(buffer);
    this.#onRoom();
  }

  onOverflow(missed: number): void {
    this.losses.call("*", { kind: "overflow", missed });
  }
}
