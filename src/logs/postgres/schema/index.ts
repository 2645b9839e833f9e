// The schema of the log in its versions, and the migrations between them.
import { writingFunctions } from "./append.ts";
import { shortFunctions } from "./append-one.ts";
import { plainFunctions } from "./append-plain.ts";
import { clearingFunctions } from "./clear.ts";
import { outboxFunctions } from "./outbox.ts";
import { pageFunctions } from "./pages.ts";
import { readingFunctions } from "./read.ts";
import { retentionFunctions } from "./retention.ts";
import { tables } from "./tables.ts";

/** The names in the statements of a schema. */
export interface SchemaNames {
  /** The schema as the application named it. */
  readonly name: string;
  /** The schema as a quoted identifier. */
  readonly schema: string;
  /** The channel of `NOTIFY`. It carries no data. */
  readonly notifyChannel: string;
  /** Names the locks of this log among the advisory locks of the database. */
  readonly lock: number;
}

/** One step from a version to the next. It runs once, within the transaction that records it. */
export interface Migration {
  /** The version after the step. */
  readonly version: number;
  /** The statements. */
  readonly statements: (names: SchemaNames) => string;
}

/**
 * The steps of the tables, oldest first. A step is never changed once it was released: a change of the tables is a new step.
 * A change of the functions is a new step as well, which may be empty: after the last step that is missing, all functions are
 * replaced by those of this version. One that drops functions makes processes of the older version fail, and say why. Those that
 * keep the parameters and the answers leave them alone.
 */
export const migrations: readonly Migration[] = [{ version: 1, statements: ({ schema }) => tables(schema) }];

/** The functions of this version, in place of those that are there. */
export function functions({ schema, notifyChannel, lock }: SchemaNames): string {
  return [
    writingFunctions(schema, notifyChannel, lock),
    shortFunctions(schema, notifyChannel, lock),
    plainFunctions(schema, notifyChannel, lock),
    outboxFunctions(schema, notifyChannel, lock),
    pageFunctions(schema),
    readingFunctions(schema),
    retentionFunctions(schema, lock),
    clearingFunctions(schema, notifyChannel, lock),
  ].join("\n");
}

/** The longest name: PostgreSQL cuts identifiers at 63 bytes, and the channel of `NOTIFY` has a prefix. */
export const maxSchemaBytes = 48;

/** @param name The schema as the application named it. */
export function schemaNames(name: string): SchemaNames {
  return {
    name,
    schema: `"${name.replaceAll('"', '""')}"`,
    notifyChannel: `sourcecast:${name.replaceAll("'", "''")}`,
    lock: hashOf(name),
  };
}

/** A 32-bit number for an advisory lock, by FNV-1a. Two logs with the same one would wait for one another, and nothing more. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  // With the name of the package, so that the locks of applications are unlikely to be the same.
  for (const byte of new TextEncoder().encode(`sourcecast:${name}`)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
