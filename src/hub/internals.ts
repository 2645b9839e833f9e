// The inner parts of a hub, for the folders above it: they need more than its public methods.
import type { Channel } from "./channel.ts";
import type { LimitedLog } from "./limited-log.ts";

/** The inner parts of a hub. */
export interface HubInternals {
  /** The log of the hub, with a deadline on each call. */
  readonly log: LimitedLog;
  /** Most bytes of one event, the limit `eventSize`. */
  readonly maxEventSize: number;
  /** A channel to which the contract of the hub does not apply, because its events are those of another protocol. */
  channel(name: string): Pick<Channel, "read" | "subscribe" | "clear">;
  /**
   * Calls back when the hub is closed, while its log is still open. The hub waits for the promise.
   *
   * @returns A function that removes the callback.
   */
  onClose(callback: () => Promise<void>): () => void;
  /** Counts events that were appended to the log without `dispatch`. */
  countPublished(events: number): void;
}

/**
 * The key under which a part of the package marks options of a subscription that the application has authorized already, by
 * calling that part. `authorize` is not asked then: it does not know the channels. Clients cannot write it.
 */
const preauthorized: unique symbol = Symbol("sourcecast.preauthorized");

/** Marks options of a subscription as authorized. */
export function preauthorize<Options extends object>(options: Options): Options {
  return { ...options, [preauthorized]: true };
}

/** Whether options of a subscription are marked as authorized. */
export function isPreauthorized(options: object): boolean {
  return preauthorized in options;
}

const internalsByHub = new WeakMap<object, HubInternals>();

/** Called once by each hub. */
export function registerInternals(hub: object, internals: HubInternals): void {
  internalsByHub.set(hub, internals);
}

/** The inner parts of a hub; `undefined` for anything but a hub of this copy of the package. */
export function internalsOf(hub: unknown): HubInternals | undefined {
  return typeof hub === "object" && hub !== null ? internalsByHub.get(hub) : undefined;
}
