// Checks of the options that applications pass: their names and their values, in one table for each public function.
import { optionError, quote, SourcecastTypeError } from "./errors.ts";
import { bytes, type Duration, milliseconds, type Size, wholeNumber } from "./units.ts";

export { optionError };

/** Throws for a value that an option does not take. `name` is the option's name in the error. Never called for `undefined`. */
export type OptionCheck = (value: unknown, name: string) => void;

/** One check for each option of an interface. The compiler finds the option that was added without one. */
export type OptionChecks<Options> = { readonly [Name in keyof Options]-?: OptionCheck };

/** @internal Checks of any options. */
type AnyChecks = Readonly<Record<string, OptionCheck>>;

/**
 * Checks an object of options: it may have only the names in `checks`, and each value must pass. An option that is
 * `undefined` counts as absent.
 *
 * @param options The options that the application passed.
 * @param checks The check of each option.
 * @param caller The public function, as errors name it: `createHub()`.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` with the value that was found and the values that are allowed; for an unknown
 * name, with the most similar known one.
 * @example
 * ```ts
 * import { checkOptions, sourceChecks } from "sourcecast/adapter";
 *
 * try {
 *   checkOptions({ keepalive: 5 }, sourceChecks, "openEventSource()");
 * } catch (error) {
 *   console.log(String(error)); // …The option keepalive of openEventSource() is unknown; did you mean keepAlive?
 * }
 * ```
 */
export function checkOptions(options: unknown, checks: AnyChecks, caller: string): void {
  if (options !== undefined) checkObject(options, checks, ` of ${caller}`, "");
}

/** Checks one option, where a function takes it as an argument of its own. */
export function checkOption(value: unknown, check: OptionCheck, name: string): void {
  if (value !== undefined) check(value, name);
}

/**
 * Rejects the promise that a callback returned although its result is needed at once.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION`. The promise is handled: it raises no unhandled rejection.
 */
export function assertNoPromise(result: unknown, name: string, allowed: string): void {
  if (typeof (result as { then?: unknown } | null | undefined)?.then !== "function") return;
  (result as Promise<unknown>).then(undefined, () => {});
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The option ${name} returned a promise; it cannot be an async function, and has to return ${allowed}`,
  );
}

// --- checks of values: without effects, so that bundlers drop those that an application does not use ---

/** A check by a predicate. `allowed` describes the values in the error: "true or false". */
/* @__NO_SIDE_EFFECTS__ */
export function allow(allowed: string, accepts: (value: unknown) => boolean): OptionCheck {
  return (value, name) => {
    if (!accepts(value)) throw optionError(name, value, allowed);
  };
}

export const aBoolean: OptionCheck = allow("true or false", (value) => typeof value === "boolean");

export const aString: OptionCheck = allow("a string", (value) => typeof value === "string");

export const aFunction: OptionCheck = allow("a function", (value) => typeof value === "function");

export const anObject: OptionCheck = allow("an object", (value) => typeof value === "object" && value !== null);

/** Text that identifies something. A lone surrogate has no UTF-8, so two different ones would be stored as the same key. */
export const aName: OptionCheck = allow(
  "a string that is not empty and has no lone surrogate",
  (value) => typeof value === "string" && value !== "" && value.isWellFormed(),
);

/** One of a few values. */
/* @__NO_SIDE_EFFECTS__ */
export function oneOf(...values: readonly (string | boolean)[]): OptionCheck {
  return (value, name) => {
    const allowed = values.map((one) => JSON.stringify(one)).join(" or ");
    if (!values.includes(value as string)) throw optionError(name, value, allowed);
  };
}

export const aDuration: OptionCheck = (value, name) => void milliseconds(value as Duration, name);

export const aSize: OptionCheck = (value, name) => void bytes(value as Size, name);

/** A whole number from `least` on, or `Infinity`. */
/* @__NO_SIDE_EFFECTS__ */
export function aCount(least: 0 | 1): OptionCheck {
  return (value, name) => void wholeNumber(value as number, name, least);
}

export const aSignal: OptionCheck = allow(
  "an AbortSignal",
  (value) => typeof (value as AbortSignal | null)?.addEventListener === "function" && "aborted" in (value as object),
);

/** An object with methods of these names, such as a log. */
/* @__NO_SIDE_EFFECTS__ */
export function anObjectWith(allowed: string, ...methods: readonly string[]): OptionCheck {
  return allow(allowed, (value) => {
    const object = value as Readonly<Record<string, unknown>> | null;
    return typeof object === "object" && methods.every((method) => typeof object?.[method] === "function");
  });
}

/** Options inside of an option, such as `limits`. */
/* @__NO_SIDE_EFFECTS__ */
export function aGroup(checks: AnyChecks): OptionCheck {
  return (value, name) => checkObject(value, checks, "", name);
}

/** Anything: the value is checked where it is used. */
export const anything: OptionCheck = () => {};

// --- names ---

/** @param group The name of the option that has these options inside, or `""`. */
function checkObject(options: unknown, checks: AnyChecks, owner: string, group: string): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const what = group === "" ? `options${owner} are` : `option ${group} is`;
    const remedy = `pass an object with ${list(checks)}`;
    throw new SourcecastTypeError("ERR_SSE_OPTION", `The ${what} ${quote(options)}; ${remedy}`);
  }
  for (const name in options) {
    const path = group === "" ? name : `${group}.${name}`;
    if (!Object.hasOwn(checks, name)) throw unknownOption(path, name, checks, owner);
    checkOption((options as Readonly<Record<string, unknown>>)[name], checks[name] as OptionCheck, path);
  }
}

function unknownOption(path: string, name: string, checks: AnyChecks, owner: string): SourcecastTypeError {
  const nearest = nearestName(name, Object.keys(checks));
  const remedy =
    nearest === undefined
      ? `use one of ${list(checks)}`
      : `did you mean ${path.slice(0, path.length - name.length)}${nearest}?`;
  return new SourcecastTypeError("ERR_SSE_OPTION", `The option ${path.slice(0, 80)}${owner} is unknown; ${remedy}`);
}

function list(checks: AnyChecks): string {
  return Object.keys(checks).sort().join(", ");
}

/**
 * Rejects names that are probably misspelled, where the options include those of another library.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` with the name that was meant.
 */
export function checkSpelling(others: object, checks: AnyChecks, caller: string): void {
  for (const name in others) {
    if (nearestName(name, Object.keys(checks)) !== undefined) throw unknownOption(name, name, checks, ` of ${caller}`);
  }
}

/** The most similar of some names: a third of the letters differ at most, or one name begins with the other. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let least = Math.max(1, name.length / 3);
  let nearest: string | undefined;
  for (const one of known) {
    const candidate = one.toLowerCase();
    const isPart = wanted.length >= 3 && (candidate.startsWith(wanted) || wanted.startsWith(candidate));
    const letters = editDistance(wanted, candidate);
    const distance = isPart ? Math.min(1, letters / 10) : letters;
    if (distance > least || (distance === least && nearest !== undefined)) continue;
    least = distance;
    nearest = one;
  }
  return nearest;
}

/** Letters to insert, remove or replace (Levenshtein). Only for the text of an error. */
function editDistance(a: string, b: string): number {
  // From the letters of `a` so far to the first 1, 2, … letters of `b`.
  const row = Array.from(b, (_, at) => at + 1);
  for (let i = 0; i < Math.min(a.length, 80); i++) {
    let before = i;
    let left = i + 1;
    row.forEach((above, j) => {
      left = Math.min(before + (a[i] === b[j] ? 0 : 1), above + 1, left + 1);
      before = above;
      row[j] = left;
    });
  }
  return row[b.length - 1] as number;
}
