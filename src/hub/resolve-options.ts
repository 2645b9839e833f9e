// The options of a hub, checked and with their defaults.
import { checkOptions } from "../base/options.ts";
import { defaultKeepAlive } from "../base/runtime.ts";
import { bytes, milliseconds } from "../base/units.ts";
import { resolveThreshold } from "../compression/options.ts";
import { type ResolvedOptions, resolveOptions } from "../source/options.ts";
import type { AnyContract } from "../wire/contract.ts";
import type { EventMap } from "../wire/event-types.ts";
import { defaultRetry } from "../wire/retry.ts";
import { type ResolvedLimits, resolveLimits } from "./admission/slots.ts";
import { reportError, safely } from "./lifetime/report.ts";
import { hubChecks } from "./option-checks.ts";
import type { Authorize, HubOptions, OnError, SnapshotFunction } from "./options.ts";
import type { PresencePlugin } from "./presence.ts";

/** {@link HubOptions} checked and with their defaults, times in milliseconds and sizes in bytes; all but the log. */
export interface ResolvedHubOptions {
  readonly name: string;
  readonly contract: AnyContract | undefined;
  readonly authorize: Authorize | undefined;
  readonly onError: OnError;
  readonly onLoss: HubOptions["onLoss"];
  readonly snapshot: SnapshotFunction | undefined;
  readonly limits: ResolvedLimits;
  readonly presence: PresencePlugin | undefined;
  readonly reauthorize: number;
  /** From how many subscriptions on a group is compressed; `null` for never. */
  readonly compressionThreshold: number | null;
  readonly ring: { readonly maxEvents: number; readonly maxBytes: number };
  /** The options of every stream. Those of the request take precedence. */
  readonly sourceOptions: ResolvedOptions;
}

/** @throws {SourcecastTypeError} for values that are not allowed. */
export function resolveHubOptions<E extends EventMap>(options: HubOptions<E>): ResolvedHubOptions {
  checkOptions(options, hubChecks, "createHub()");
  const { keepAlive = defaultKeepAlive.hub, retry = defaultRetry, closeOnSignal = true } = options;
  const { authorize, reauthorize, onLoss, snapshot, ring, presence } = options;
  return {
    name: options.name ?? "default",
    contract: options.events as AnyContract | undefined,
    authorize,
    onError: safely(options.onError ?? reportError),
    onLoss,
    snapshot,
    limits: resolveLimits(options.limits),
    presence: presence,
    reauthorize: reauthorize === undefined ? Number.POSITIVE_INFINITY : milliseconds(reauthorize, "reauthorize"),
    compressionThreshold: resolveThreshold(options.compress),
    ring: {
      maxEvents: ring?.maxEvents ?? 4_096,
      maxBytes: bytes(ring?.maxBytes ?? "16mb", "ring.maxBytes"),
    },
    sourceOptions: { ...resolveOptions({ keepAlive, retry, closeOnSignal }), compress: false },
  };
}
