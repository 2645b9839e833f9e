// The way of a subscription to the head.

/** Brings a subscription to the head, and then is not needed any more: a `Pump`. */
export interface CatchUp {
  /** Called whenever there may be something to do. */
  schedule(): void;
  /** The subscription is over. */
  stop(): void;
}
