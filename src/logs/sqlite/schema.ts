// The tables of the log.
import { LogError } from "../../base/errors.ts";
import type { SqlConnection } from "./connection.ts";

/** Raised with every change that an older version of this package could not work with. */
export const schemaVersion = 3;

/** Version 3 adds it. */
export const supersededTable = `
  CREATE TABLE sse_superseded (
    channel TEXT PRIMARY KEY,
    offset INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX sse_superseded_offset ON sse_superseded (offset);`;

/**
 * - `sse_log`: one row. `trimmed_offset` is the newest entry that retention has removed, 0 when there is none;
 *   `trimmed_witness` its witness, or that of the origin; `trimmed_weight` the weight of all entries up to there.
 *   `clock_correction` is log time minus wall clock (see LogClock). Entries up to `forgotten_offset` may have been removed
 *   from channels that `sse_trimmed` and `sse_superseded` no longer list.
 * - `sse_entry`: the retained entries, and below `trimmed_offset` the newest of each key. `time` is wall clock, `log_time` is
 *   what its age is measured by. `total_weight` is the weight of all entries up to this one, so that any stretch is weighed
 *   by a subtraction. `key_ordinal` numbers the entries with a key in their channel, so that superseded ones are counted in
 *   the same way. `data` comes last: a scan does not read it.
 * - `sse_trimmed`: the highest offset that each channel has lost, entries with a key aside.
 * - `sse_superseded`: the highest offset of an entry that was superseded, and that its channel has lost.
 * - `sse_witness`: witnesses of trimmed entries, four bytes each, in blocks; see StoredWitnesses.
 * - `sse_idempotency`: what entries with an idempotency key were answered.
 *
 * The indexes:
 *
 * - `sse_entry_channel` has `superseded` before `offset`, so that readers that conflate do not step over the entries that
 *   they leave out. The other readers merge the two ranges of a channel.
 * - `sse_entry_key` is unique: it proves that each key has one newest entry.
 * - `sse_entry_value` and `sse_entry_value_order` list the newest of each key, by channel and in the order of the log. They
 *   are partial, so a log without keys pays nothing for them.
 * - `sse_trimmed_offset` and `sse_superseded_offset` find the channels that lost an entry most recently, for prefixes, and
 *   those that did so longest ago, which are forgotten first.
 */
export const schema: string = `
  CREATE TABLE sse_log (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    origin_witness INTEGER NOT NULL,
    clock_correction INTEGER NOT NULL,
    trimmed_offset INTEGER NOT NULL,
    trimmed_witness INTEGER NOT NULL,
    trimmed_weight INTEGER NOT NULL,
    forgotten_offset INTEGER NOT NULL
  );
  CREATE TABLE sse_entry (
    offset INTEGER PRIMARY KEY,
    superseded INTEGER NOT NULL,
    witness INTEGER NOT NULL,
    previous_witness INTEGER NOT NULL,
    time INTEGER NOT NULL,
    log_time INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    total_weight INTEGER NOT NULL,
    key_ordinal INTEGER,
    channel TEXT NOT NULL,
    type TEXT NOT NULL,
    key TEXT,
    sender TEXT,
    data TEXT NOT NULL
  );
  CREATE INDEX sse_entry_channel ON sse_entry (channel, superseded, offset);
  CREATE UNIQUE INDEX sse_entry_key ON sse_entry (channel, key) WHERE key IS NOT NULL AND superseded = 0;
  CREATE INDEX sse_entry_value ON sse_entry (channel, offset) WHERE key IS NOT NULL AND superseded = 0;
  CREATE INDEX sse_entry_value_order ON sse_entry (offset) WHERE key IS NOT NULL AND superseded = 0;
  CREATE TABLE sse_trimmed (
    channel TEXT PRIMARY KEY,
    offset INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX sse_trimmed_offset ON sse_trimmed (offset);
  ${supersededTable}
  CREATE TABLE sse_witness (
    block INTEGER PRIMARY KEY,
    log_time INTEGER NOT NULL,
    witnesses BLOB NOT NULL
  );
  CREATE TABLE sse_idempotency (
    channel TEXT NOT NULL,
    key TEXT NOT NULL,
    log_time INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    witness INTEGER NOT NULL,
    PRIMARY KEY (channel, key)
  ) WITHOUT ROWID;
  CREATE INDEX sse_idempotency_log_time ON sse_idempotency (log_time);
`;

/** Why a log cannot work with what another version of the package wrote. */
export function unsupported(connection: SqlConnection, version: number): LogError {
  return new LogError(
    `A newer version of this package wrote ${connection.name} (schema ${version}; this one supports up to ${schemaVersion}); ` +
      "update the package, or give the log another file",
    false,
  );
}
