// The limits of a hub, and the slots of its connections.
import { bytes, milliseconds, wholeNumber } from "../../base/units.ts";
import type { Limits } from "../options.ts";

/** {@link Limits} checked and with their defaults, times in milliseconds and sizes in bytes; `Infinity` for no limit. */
export type ResolvedLimits = { readonly [name in keyof Limits]-?: number };

export function resolveLimits(limits: Limits = {}): ResolvedLimits {
  return {
    connections: wholeNumber(limits.connections ?? Number.POSITIVE_INFINITY, "limits.connections"),
    connectionsPerKey: wholeNumber(limits.connectionsPerKey ?? Number.POSITIVE_INFINITY, "limits.connectionsPerKey"),
    channels: wholeNumber(limits.channels ?? 100, "limits.channels"),
    eventSize: bytes(limits.eventSize ?? "1mb", "limits.eventSize"),
    maxReplay: wholeNumber(limits.maxReplay ?? 100_000, "limits.maxReplay"),
    maxLifetime:
      limits.maxLifetime === undefined
        ? Number.POSITIVE_INFINITY
        : milliseconds(limits.maxLifetime, "limits.maxLifetime"),
    logTimeout: milliseconds(limits.logTimeout ?? "5s", "limits.logTimeout"),
    publishTimeout: milliseconds(limits.publishTimeout ?? "75s", "limits.publishTimeout"),
    callbackTimeout: milliseconds(limits.callbackTimeout ?? "10s", "limits.callbackTimeout"),
    stallTimeout: milliseconds(limits.stallTimeout ?? "30s", "limits.stallTimeout"),
  };
}

/**
 * Counts connections, in total and by key. At a limit, the new connection is rejected, and no old one is evicted: clients
 * that reconnect would otherwise evict one another without end.
 */
export class ConnectionSlots {
  readonly #limits: ResolvedLimits;
  readonly #byKey = new Map<string, number>();
  #total = 0;

  constructor(limits: ResolvedLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** Takes a slot, or returns the name of the limit that is reached. */
  acquire(key: string | undefined): Slot | "connections" | "connectionsPerKey" {
    if (this.#total >= this.#limits.connections) return "connections";
    const ofKey = key === undefined ? 0 : (this.#byKey.get(key) ?? 0);
    if (ofKey >= this.#limits.connectionsPerKey) return "connectionsPerKey";
    this.#total++;
    if (key !== undefined) this.#byKey.set(key, ofKey + 1);
    return new Slot(this, key);
  }

  /** Called by a slot, once. */
  onReleased(key: string | undefined): void {
    this.#total--;
    if (key === undefined) return;
    const rest = (this.#byKey.get(key) ?? 1) - 1;
    // Keys are users or addresses: without this, the map would grow with each one that was ever connected.
    if (rest === 0) this.#byKey.delete(key);
    else this.#byKey.set(key, rest);
  }
}

/**
 * The slot of one connection. Releasing it again has no effect, because several causes may end a connection at once.
 */
export class Slot {
  #slots: ConnectionSlots | null;
  readonly #key: string | undefined;

  /** @internal Use {@link ConnectionSlots.acquire}. */
  constructor(slots: ConnectionSlots, key: string | undefined) {
    this.#slots = slots;
    this.#key = key;
  }

  release(): void {
    this.#slots?.onReleased(this.#key);
    this.#slots = null;
  }
}
