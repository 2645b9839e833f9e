import { now } from "../../base/clock.ts";
import { SourcecastError } from "../../base/errors.ts";
import { makeEpoch, makeWitness } from "../../log/identity.ts";
import type { SqlConnection } from "./connection.ts";
import { isLocked } from "./driver.ts";

/** Raised with every change that an older version of this package could not work with. */
const schemaVersion = 2;

/**
 * - `sse_log`: one row. Every entry up to `trimmed` was taken by retention, the last of them with
 *   `trimmed_witness` (at first the origin's), together `trimmed_weight`; `floor` is what
 *   `sse_trimmed` no longer knows of.
 * - `sse_entry`: what is retained, and below `trimmed` the newest of each key. `weight` is that of all entries up to this
 *   one, so that what is retained is weighed by a subtraction. `data` comes last: a scan need not read it.
 * - `sse_trimmed`: the highest offset that each channel lost.
 * - `sse_answer`: what entries with an idempotency key were answered.
 */
const schema = `
  CREATE TABLE sse_log (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    trimmed INTEGER NOT NULL,
    trimmed_witness INTEGER NOT NULL,
    trimmed_weight INTEGER NOT NULL,
    floor INTEGER NOT NULL
  );
  CREATE TABLE sse_entry (
    offset INTEGER PRIMARY KEY,
    superseded INTEGER NOT NULL,
    witness INTEGER NOT NULL,
    time INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    channel TEXT NOT NULL,
    type TEXT NOT NULL,
    key TEXT,
    sender TEXT,
    data TEXT NOT NULL,
    previous_witness INTEGER NOT NULL
  );
  CREATE INDEX sse_entry_channel ON sse_entry (channel, superseded, offset);
  CREATE UNIQUE INDEX sse_entry_key ON sse_entry (channel, key) WHERE key IS NOT NULL AND superseded = 0;
  CREATE TABLE sse_trimmed (
    channel TEXT PRIMARY KEY,
    offset INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE sse_answer (
    channel TEXT NOT NULL,
    key TEXT NOT NULL,
    time INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    witness INTEGER NOT NULL,
    PRIMARY KEY (channel, key)
  ) WITHOUT ROWID;
  CREATE INDEX sse_answer_time ON sse_answer (time);
`;

/** When a commit is on the disk: `"process"` survives the end of the process, however it ends, `"power"` that of the machine too. */
export type Durability = "process" | "power";

/**
 * Makes the database ready for a log and returns the log's epoch. Blocks while another process does the same.
 *
 * @param patience How long to wait for a lock, in milliseconds.
 */
export function prepareDatabase(connection: SqlConnection, durability: Durability, patience: number): string {
  return retrying(patience, () => {
    connection.configure(durability);
    if (!hasTable(connection, "sse_log")) create(connection);
    const log = connection.prepare<{ version: number; epoch: string }>("SELECT version, epoch FROM sse_log").get();
    if (log == null) throw notOurs(connection, "its table sse_log is empty");
    if (log.version > schemaVersion) throw newer(connection, log.version);
    if (log.version < schemaVersion) throw notOurs(connection, "a version before 0.2 of this package wrote it");
    return log.epoch;
  });
}

function create(connection: SqlConnection): void {
  connection.write(() => {
    // Another process may have been first.
    if (hasTable(connection, "sse_log")) return;
    connection.exec(schema);
    connection
      .prepare("INSERT INTO sse_log VALUES (1, ?, ?, 0, ?, 0, 0)")
      .run(schemaVersion, makeEpoch(), makeWitness());
  });
}

function hasTable(connection: SqlConnection, name: string): boolean {
  return connection.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(name) != null;
}

function newer(connection: SqlConnection, version: number): SourcecastError {
  return new SourcecastError(
    "ERR_SSE_LOG",
    `A newer version of this package wrote ${connection.name} (schema ${version}, while this one knows up to ${schemaVersion}); ` +
      "update the package, or give the log another file",
  );
}

function notOurs(connection: SqlConnection, found: string): SourcecastError {
  return new SourcecastError(
    "ERR_SSE_LOG",
    `The log cannot use ${connection.name}: ${found}; restore it from a copy, or move it away and a new log begins`,
  );
}

/** SQLite does not wait for every lock by itself: not for the one that it takes to turn a file to WAL. */
function retrying<T>(patience: number, work: () => T): T {
  const deadline = now() + patience;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isLocked(error) || now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
