// Durations, sizes and counts in options: their types, and their conversion to numbers.
import { optionError } from "./errors.ts";

/** A length of time: a number of milliseconds, or a number with a unit, such as `"500ms"`, `"10s"`, `"5m"`, `"1h"`, `"7d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** An amount of memory: a number of bytes, or a number with a unit, such as `"64kb"`, `"16mb"`, `"1gb"` (powers of 1024). */
export type Size = number | `${number}${"b" | "kb" | "mb" | "gb"}`;

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizeUnits: Readonly<Record<string, number>> = { b: 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 };

/** A {@link Duration} in milliseconds. `option` is the name of the option in the error for an invalid value. */
export function milliseconds(value: Duration, option: string): number {
  return parseUnit(value, option, durationUnits, 'a number of milliseconds or a string such as "500ms", "10s" or "5m"');
}

/** A {@link Size} in bytes. `option` is the name of the option in the error for an invalid value. */
export function bytes(value: Size, option: string): number {
  return parseUnit(value, option, sizeUnits, 'a number of bytes or a string such as "64kb" or "16mb"');
}

/** A whole number from `least` on, or `Infinity`. `option` is the name of the option in the error for an invalid value. */
export function wholeNumber(value: number, option: string, least: 0 | 1 = 0): number {
  if ((Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY) && value >= least) return value;
  throw optionError(option, value, `a whole number, ${least === 0 ? "zero" : "one"} or more`);
}

function parseUnit(
  value: number | string,
  option: string,
  units: Readonly<Record<string, number>>,
  allowed: string,
): number {
  const amount = typeof value === "number" ? value : parseText(value, units);
  if (Number.isFinite(amount) && amount >= 0) return amount;
  throw optionError(option, value, `${allowed}, zero or more`);
}

function parseText(value: unknown, units: Readonly<Record<string, number>>): number {
  const match = typeof value === "string" ? /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(value.trim()) : null;
  const unit = units[match?.[2]?.toLowerCase() ?? ""];
  return unit === undefined ? Number.NaN : Number(match?.[1]) * unit;
}
