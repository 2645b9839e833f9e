// The protocol that the readers of a run speak, as the run uses it: types only.

/** One event of a protocol. */
export interface RunEvent {
  /** The event type on the wire. Most protocols use `"message"` alone. */
  readonly type: string;
  /** The data: a string as it is, anything else as JSON. */
  readonly data: unknown;
}

/**
 * A protocol for streaming the output of a model: how the pieces of a producer become events, and how a stream reports its
 * own state in that protocol's terms.
 */
export interface RunProtocol {
  /** Response headers that the protocol's clients look for. */
  readonly headers: Readonly<Record<string, string>>;
  /** The event after the last one; `false` for a protocol whose stream just ends. Without it, `sse:end` says so. */
  readonly end?: RunEvent | false;
  /**
   * The event of one piece of the producer; `null` for a piece that carries nothing.
   *
   * @throws {TypeError} for a piece that the protocol has no event for.
   */
  encode(piece: unknown): RunEvent | null;
  /** One event that means the same as both, or `null`. Both may be deltas of one part of the output. */
  merge(event: RunEvent, next: RunEvent): RunEvent | null;
  /** The text of an event that belongs to the output. */
  textOf(event: RunEvent): string;
  /** The output cannot be completed: one event at least. */
  failed(message: string): readonly RunEvent[];
  /** The output was stopped by its user. */
  stopped(): readonly RunEvent[];
}
