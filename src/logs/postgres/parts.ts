// The parts that the log of one database is made of, as postgresLog() makes them from its options.
import type { RetentionLimits } from "../../log/retention.ts";
import type { Connection } from "./connection.ts";
import type { SchemaNames } from "./schema/index.ts";

/** The parts that a log is made of. */
export interface PostgresLogParts {
  /** The client that the application passed. */
  readonly connection: Connection;
  /** Where to listen, `null` to poll. */
  readonly listenOn: Connection | null;
  /** The schema, and what is named after it. */
  readonly names: SchemaNames;
  /** Must be the same in all processes: see membership.ts. */
  readonly limits: RetentionLimits;
  /** How often to ask without notifications, in milliseconds. */
  readonly pollMs: number;
  /** How long an append may take, in milliseconds. */
  readonly timeoutMs: number;
}
