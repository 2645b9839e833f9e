// Brings a database of an older schema version up to date, within the transaction of the caller.
import { makeWitness } from "../../log/identity.ts";
import type { SqlConnection } from "./connection.ts";
import { schema, schemaVersion, supersededTable } from "./schema.ts";

/** The tables are new ones: what a process of an older version still tries to write fails, and it stores nothing. */
const setAside = `
  DROP INDEX sse_entry_channel;
  DROP INDEX sse_entry_key;
  DROP INDEX sse_answer_time;
  ALTER TABLE sse_log RENAME TO sse_log_1;
  ALTER TABLE sse_entry RENAME TO sse_entry_1;
  ALTER TABLE sse_trimmed RENAME TO sse_trimmed_1;
  ALTER TABLE sse_answer RENAME TO sse_answer_1;
`;

const removeOld = `
  DROP TABLE sse_log_1;
  DROP TABLE sse_entry_1;
  DROP TABLE sse_trimmed_1;
  DROP TABLE sse_answer_1;
`;

/**
 * Entries keep their offsets and witnesses, and the epoch stays. The witness of the last trimmed entry is not known any more;
 * another one takes its place, so that a client at exactly that position is told of a loss that may not have been one.
 */
export function migrateFromVersion1(connection: SqlConnection): void {
  connection.exec(setAside);
  connection.exec(schema);
  const trimmed = connection
    .prepare<{ trimmed: number; witness: number | null }>(
      "SELECT trimmed, (SELECT witness FROM sse_entry_1 WHERE offset = trimmed) AS witness FROM sse_log_1",
    )
    .get();
  // Version 1 stored no witness of the origin. Where nothing was trimmed, the origin is also the floor.
  const origin = makeWitness();
  const lastTrimmed = Number(trimmed?.witness ?? (Number(trimmed?.trimmed) === 0 ? origin : makeWitness()));
  connection
    .prepare(
      `INSERT INTO sse_log
       SELECT 1, ${schemaVersion}, epoch, ?, 0, trimmed, ?, trimmed_weight, floor FROM sse_log_1`,
    )
    .run(origin, lastTrimmed);
  copyEntries(connection, lastTrimmed);
  connection.exec("INSERT INTO sse_trimmed SELECT channel, offset FROM sse_trimmed_1");
  connection.exec(markSuperseded);
  connection
    // A time in the future, from a clock that was set back since, would keep its key beyond the window.
    .prepare("INSERT INTO sse_idempotency SELECT channel, key, min(time, ?), offset, witness FROM sse_answer_1")
    .run(Date.now());
  connection.exec(removeOld);
}

/** Statements that processes have prepared for version 2 still work, but each call looks at the version first. */
export function migrateFromVersion2(connection: SqlConnection): void {
  connection.exec(supersededTable);
  connection.exec(markSuperseded);
  connection.prepare("UPDATE sse_log SET version = ?").run(schemaVersion);
}

/**
 * Older versions did not remember which channels have lost superseded entries. A channel without values never had an entry with
 * a key; of the others, all of those entries may be gone.
 */
const markSuperseded = `
  INSERT INTO sse_superseded
  SELECT DISTINCT channel, trimmed_offset FROM sse_entry CROSS JOIN sse_log
  WHERE key IS NOT NULL AND superseded = 0 AND trimmed_offset > 0;`;

/**
 * One statement, so that a million entries never pass through JavaScript. In version 1, `weight` was the sum up to an
 * entry; its own weight is the difference to its predecessor.
 */
function copyEntries(connection: SqlConnection, lastTrimmed: number): void {
  // Of a value below what was trimmed, neither the predecessor nor the weight can be found out. Times become log times, which
  // neither go back nor lie in the future.
  connection
    .prepare(
      `WITH
         time_of (offset, log_time) AS (SELECT offset, min(?, max(time) OVER (ORDER BY offset)) FROM sse_entry_1),
         ordinal_of (offset, key_ordinal) AS (
           SELECT offset, row_number() OVER (PARTITION BY channel ORDER BY offset) FROM sse_entry_1 WHERE key IS NOT NULL
         )
       INSERT INTO sse_entry
       SELECT entry.offset, superseded, entry.witness,
         iif(entry.offset = trimmed + 1, ?, ifnull(previous.witness, 1 + abs(random() % 4294967295))),
         entry.time, log_time,
         CASE
           WHEN entry.offset = trimmed + 1 THEN entry.weight - trimmed_weight
           WHEN entry.offset > trimmed THEN entry.weight - previous.weight
           ELSE length(entry.data) + length(entry.type) + length(entry.channel) + length(entry.key) + 32
         END,
         entry.weight, key_ordinal, entry.channel, entry.type, entry.key, entry.sender, entry.data
       FROM sse_entry_1 AS entry
         CROSS JOIN sse_log_1
         JOIN time_of ON time_of.offset = entry.offset
         LEFT JOIN ordinal_of ON ordinal_of.offset = entry.offset
         LEFT JOIN (SELECT offset, witness, weight FROM sse_entry_1) AS previous ON previous.offset = entry.offset - 1
       ORDER BY entry.offset`,
    )
    .run(Date.now(), lastTrimmed);
}
