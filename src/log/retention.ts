// The limits of a log: its options as numbers, and the weight of an entry.
import { aCount, aDuration, aSize, type OptionChecks } from "../base/options.ts";
import { bytes, type Duration, milliseconds, type Size, wholeNumber } from "../base/units.ts";
import type { LogEntry, NewEntry, Retention } from "./log.ts";

/** {@link Retention} as numbers: entries, bytes, and the rest in milliseconds. */
export interface RetentionLimits {
  /** Most entries. */
  readonly events: number;
  /** Most bytes, as {@link weightOf} counts them. */
  readonly bytes: number;
  /** Age in milliseconds, `Infinity` without a limit. */
  readonly age: number;
  /** How long an `idempotencyKey` is recognized, in milliseconds. */
  readonly window: number;
  /** How long the witness of a trimmed entry is kept, in milliseconds. */
  readonly witnessAge: number;
}

/** The defaults of a log with retention. */
export interface RetentionDefaults {
  /** Entries. */
  readonly maxEvents: number;
  /** Bytes. */
  readonly maxBytes: Size;
  /** Time after which the witness of a trimmed entry is forgotten. @default "1h" */
  readonly witnessAge?: Duration;
}

/** The checks of {@link Retention}: a log spreads them into those of its own options. */
export const retentionChecks: OptionChecks<Retention> = {
  maxEvents: aCount(1),
  maxBytes: aSize,
  maxAge: aDuration,
  idempotencyWindow: aDuration,
  witnessAge: aDuration,
};

/**
 * Checks the options of a log with retention, and fills in its defaults.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for values that are not allowed.
 */
export function retentionLimits(options: Retention, defaults: RetentionDefaults): RetentionLimits {
  return {
    events: wholeNumber(options.maxEvents ?? defaults.maxEvents, "maxEvents", 1),
    bytes: bytes(options.maxBytes ?? defaults.maxBytes, "maxBytes"),
    age: options.maxAge === undefined ? Number.POSITIVE_INFINITY : milliseconds(options.maxAge, "maxAge"),
    window: milliseconds(options.idempotencyWindow ?? "5m", "idempotencyWindow"),
    witnessAge: milliseconds(options.witnessAge ?? defaults.witnessAge ?? "1h", "witnessAge"),
  };
}

/** The weight of an entry in bytes, approximately, for `maxBytes` of retention and of a page. */
export function weightOf(entry: NewEntry | LogEntry): number {
  return entry.data.length + entry.type.length + entry.channel.length + (entry.key?.length ?? 0) + 32;
}
