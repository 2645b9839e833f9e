import type { AnyContract } from "../contract.ts";
import { defaultRetry } from "../opening.ts";
import { defaultKeepAlive, type ResolvedOptions, resolveContract, resolveOptions } from "../options.ts";
import type { Events } from "../typing.ts";
import { bytes, milliseconds, wholeNumber } from "../units.ts";
import { type ResolvedLimits, resolveLimits } from "./admission/limits.ts";
import type { Authorize, HubOptions, OnError, TakeSnapshot } from "./options.ts";
import { type ResolvedPresence, resolvePresence } from "./presence/options.ts";
import { reportError, safely } from "./report.ts";

/** {@link HubOptions} checked and with their defaults, times in milliseconds and sizes in bytes; all but the log. */
export interface HubSettings {
  readonly name: string;
  readonly contract: AnyContract | undefined;
  readonly authorize: Authorize | undefined;
  readonly onError: OnError;
  readonly onGap: HubOptions["onGap"];
  readonly snapshot: TakeSnapshot | undefined;
  readonly limits: ResolvedLimits;
  readonly presence: ResolvedPresence;
  readonly reauthorize: number;
  readonly ring: { readonly maxEvents: number; readonly maxBytes: number };
  /** Of every stream, under what the request's own options say. */
  readonly sourceOptions: ResolvedOptions;
}

/** @throws {SourcecastTypeError} for values that are not allowed. */
export function resolveHub<E extends Events>(options: HubOptions<E>): HubSettings {
  const { heartbeat = defaultKeepAlive, retry = defaultRetry, shutdown = true } = options;
  const { authorize, reauthorize, onGap, snapshot, ring, presence } = options;
  return {
    name: options.name ?? "default",
    contract: resolveContract(options.events as AnyContract | undefined),
    authorize,
    onError: safely(options.onError ?? reportError),
    onGap,
    snapshot,
    limits: resolveLimits(options.limits),
    presence: resolvePresence(presence),
    reauthorize: reauthorize === undefined ? Number.POSITIVE_INFINITY : milliseconds(reauthorize, "reauthorize"),
    ring: {
      maxEvents: wholeNumber(ring?.maxEvents ?? 4_096, "ring.maxEvents", 1),
      maxBytes: bytes(ring?.maxBytes ?? "16mb", "ring.maxBytes"),
    },
    sourceOptions: resolveOptions({ keepAlive: heartbeat, retry, shutdown }),
  };
}
