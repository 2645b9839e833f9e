// Values that `JSON.stringify` would write as `{}` without a word, although they have content.
import { tagOf } from "./binary.ts";

const remedies: Readonly<Record<string, string>> = {
  Map: "pass Object.fromEntries(map), or [...map] for keys that are not strings",
  Set: "pass [...set]",
  Error: "pass the parts that clients may see, such as { message: error.message }",
  Promise: "await it before it is dispatched",
};

/**
 * The remedy for a value that JSON would empty; `null` for any other value. The type is known by its name, so that values of
 * other realms count, too. A value with a method `toJSON` has said how it is written.
 */
export function emptiedRemedy(value: unknown): string | null {
  if (typeof value !== "object" || value === null) return null;
  const tag = tagOf(value);
  const isEmptied = Object.hasOwn(remedies, tag) && typeof (value as { toJSON?: unknown }).toJSON !== "function";
  return isEmptied ? (remedies[tag] as string) : null;
}
