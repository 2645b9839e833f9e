// Helpers of the protocols that send JSON objects.
import { quote } from "../../base/errors.ts";
import type { RunEvent } from "../protocol.ts";

/** An object of JSON whose fields are not known. */
export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an event. */
export function fieldsOf(event: RunEvent): Fields {
  return event.data as Fields;
}

/**
 * The object that a producer yielded.
 *
 * @param form Names the objects that the protocol has: `chunks of a UI message stream, such as toUIMessageStream() returns`.
 * @throws {TypeError} for anything else.
 */
export function assertObject(piece: unknown, form: string): Fields {
  if (typeof piece === "object" && piece !== null && !Array.isArray(piece)) return piece as Fields;
  throw new TypeError(`The producer yielded ${quote(piece)}; it has to yield ${form}`);
}

/** {@link assertObject} for objects that name their kind in `type`. */
export function assertTyped(piece: unknown, form: string): Fields & { readonly type: string } {
  const fields = assertObject(piece, form);
  if (typeof fields.type === "string" && fields.type !== "") return fields as Fields & { readonly type: string };
  throw new TypeError(`The producer yielded an object without a type; it has to yield ${form}`);
}

/**
 * One event for two deltas of the same part, or `null`.
 *
 * @param same The fields that identify the part. They have to be equal, and so do the names of all fields.
 * @param delta The field whose text grows.
 */
export function mergeDeltas(first: Fields, next: Fields, same: readonly string[], delta: string): Fields | null {
  if (typeof first[delta] !== "string" || typeof next[delta] !== "string") return null;
  if (!same.every((name) => first[name] === next[name])) return null;
  // A field beyond those that are compared would be lost.
  const known = new Set([...same, delta]);
  if (![...Object.keys(first), ...Object.keys(next)].every((name) => known.has(name))) return null;
  return { ...first, [delta]: first[delta] + next[delta] };
}

/** The text in a field, `""` where it has none. */
export function textIn(fields: unknown, name: string): string {
  const value = (fields as Fields | null | undefined)?.[name];
  return typeof value === "string" ? value : "";
}
