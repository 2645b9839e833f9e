// Gets a database ready for a log: creates the tables, or brings those of an older version up to date.
import { now } from "../../base/clock.ts";
import { LogError } from "../../base/errors.ts";
import { makeEpoch, makeWitness } from "../../log/identity.ts";
import type { Durability, SqlConnection } from "./connection.ts";
import { isLocked } from "./driver.ts";
import { migrateFromVersion1, migrateFromVersion2 } from "./migration.ts";
import { schema, schemaVersion, unsupported } from "./schema.ts";

/** How often to try for a lock while a process starts. */
const lockRetryMs = 10;
/** How long to wait at least while another process copies a log of an older version: about 10 s for a million entries. */
const migrationTimeoutMs = 120_000;

/**
 * Makes a database ready for a log and opens it. Blocks while another process does the same.
 *
 * @param connect Makes the connection.
 * @param timeout How long to wait for a lock, in milliseconds.
 * @param open Called once everything is in place.
 */
export function prepareDatabase<T>(
  connect: () => SqlConnection,
  { durability, timeout }: { durability: Durability; timeout: number },
  open: (connection: SqlConnection) => T,
): T {
  const start = now();
  let patience = timeout;
  for (;;) {
    try {
      // Connecting is part of the attempt: it prepares statements, which a lock can make fail too.
      const connection = connect();
      connection.configure(durability);
      const found = versionOf(connection);
      if (found !== undefined && found !== schemaVersion) patience = Math.max(timeout, migrationTimeoutMs);
      if (found !== schemaVersion) connection.write(() => upgrade(connection));
      return open(connection);
    } catch (error) {
      if (!isLocked(error) || now() - start > patience) throw error;
      // SQLite does not wait for every lock: not for the one that it takes to turn a file to WAL, nor for another process
      // that closes the file, even if it only prepares a statement. A process that starts has nothing else to do, and a log
      // is made synchronously.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lockRetryMs);
    }
  }
}

/** Within a transaction. Another process may have been first. */
function upgrade(connection: SqlConnection): void {
  const version = versionOf(connection);
  if (version === undefined) create(connection);
  else if (version === 1) migrateFromVersion1(connection);
  else if (version === 2) migrateFromVersion2(connection);
}

/** `undefined` in a database without a log. */
function versionOf(connection: SqlConnection): number | undefined {
  const table = connection.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sse_log'").get();
  if (table == null) return undefined;
  const log = connection.prepare<{ version: number }>("SELECT version FROM sse_log").get();
  if (log == null) {
    throw new LogError(
      `The log cannot use ${connection.name}: its table sse_log is empty; restore it from a copy, or move it away to begin a new log`,
      false,
    );
  }
  const version = Number(log.version);
  if (version > schemaVersion) throw unsupported(connection, version);
  return version;
}

/** An empty log has its origin as its floor, so the position 0 can be verified from the start. */
function create(connection: SqlConnection): void {
  connection.exec(schema);
  const origin = makeWitness();
  connection
    .prepare("INSERT INTO sse_log VALUES (1, ?, ?, ?, 0, 0, ?, 0, 0)")
    .run(schemaVersion, makeEpoch(), origin, origin);
}
