// The schema that marks an event as text.
import type { StandardSchemaV1 } from "./standard-schema.ts";

/** Shared by every copy of the package, so that a contract may be made with another copy's `text`. */
const mark: unique symbol = Symbol.for("sourcecast.text") as typeof mark;

/**
 * A schema for strings that are sent as they are, instead of JSON, such as HTML for htmx or the tokens of a language
 * model. All line breaks arrive as LF.
 *
 * @example
 * ```ts
 * import { EventSource } from "sourcecast";
 * import { defineEvents, text } from "sourcecast/contract";
 * import { z } from "zod";
 *
 * const events = defineEvents({ token: text, note: z.string() });
 *
 * export function GET(request: Request): Response {
 *   const source = new EventSource(request, { events });
 *   source.dispatch("token", "as it is"); // data: as it is
 *   source.dispatch("note", "as JSON"); // data: "as JSON"
 *   return source.response();
 * }
 * ```
 */
export const text: StandardSchemaV1<string> = Object.freeze({
  "~standard": Object.freeze({
    version: 1 as const,
    vendor: "sourcecast",
    validate: (value: unknown) =>
      typeof value === "string" ? { value } : { issues: [{ message: `Expected a string, received ${typeof value}` }] },
  }),
  [mark]: true,
});

/** Whether a schema is {@link text}. */
export function isText(schema: StandardSchemaV1): boolean {
  return mark in schema;
}
