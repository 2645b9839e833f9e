// The statements of the log: calls of the functions of its schema.
import type { SchemaNames } from "./schema/index.ts";

/**
 * Calls a function of the schema. Every function is passed text and returns text, so that all clients agree on types.
 *
 * @param casts The types of the parameters after the request.
 */
export function callOf({ schema }: SchemaNames, name: string, casts: readonly string[] = []): string {
  const parameters = ["json", ...casts].map((cast, index) => `$${index + 1}::text::${cast}`);
  return `SELECT ${schema}.${name}(${parameters.join(", ")}) AS reply`;
}
