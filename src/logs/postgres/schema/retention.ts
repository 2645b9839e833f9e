// Retention: a function in the database that removes a slice of what is not to be kept.
import { clearedChannel } from "../../../log/cleared.ts";
import { encodeText } from "../text.ts";
import { lateStepMs } from "./append-one.ts";
import { lockLog } from "./lock.ts";
import { byIndex } from "./plans.ts";

/** Entries that one statement removes: publishers wait for that at most. */
const entriesPerSlice = 500;
/** Witnesses that one row of the table `witness` collects, 4 bytes each. */
const witnessesPerRow = 256;
/** Witnesses in all: 64 MB. */
const maxWitnesses = 16_000_000;
/** Channels whose losses are remembered. Of the others, the highest one is known. */
const maxRememberedChannels = 65_536;
/** How long receipts are kept, in milliseconds: longer than any attempt is on its way. */
const receiptAgeMs = 600_000;
/** Processes that were not seen for this long are gone. */
const memberAgeMs = 30_000;

/**
 * `trim` removes one slice, and declares it: the deletion, the marks of what channels have lost and the new floor are one
 * transaction, so a reader that sees an entry gone also sees that it was trimmed. It returns `more`, whether there is another
 * slice, and `next`, the milliseconds until the next entry expires.
 *
 * A slice is found before the lock of the log is taken, and removed under it: publishers wait for the removal alone. Between the
 * two, entries may be added, but none before the slice. Only `trim` moves the floor, and one process at a time runs it.
 *
 * Entries with a key are not removed while they are the newest of it. Those that were superseded leave their mark in a table of
 * its own, since readers that conflate have lost nothing with them. When the newest of a key is superseded later, `place` deletes
 * and marks it.
 *
 * `enter` registers a process with its options, and returns those of another process that differ.
 */
export function retentionFunctions(schema: string, lock: number): string {
  return `
    -- The time of the server counts, so processes need not agree on theirs. The lock is held until the statement ends.
    CREATE OR REPLACE FUNCTION ${schema}.enter(request json) RETURNS text LANGUAGE plpgsql AS $sourcecast$
    DECLARE
      other text;
    BEGIN
      PERFORM ${schema}.assert_read_committed();
      PERFORM pg_advisory_xact_lock(${lock}, 1);
      DELETE FROM ${schema}.member WHERE seen < clock_timestamp() - interval '${memberAgeMs} milliseconds';
      SELECT options INTO other FROM ${schema}.member
      WHERE options <> request->>'options' AND id <> request->>'member' LIMIT 1;
      IF FOUND THEN RETURN other; END IF;
      INSERT INTO ${schema}.member (id, options, seen)
      VALUES (request->>'member', request->>'options', clock_timestamp())
      ON CONFLICT (id) DO UPDATE SET seen = excluded.seen;
      RETURN '';
    END $sourcecast$;

    -- A process that closes its log makes room for one with other options at once.
    CREATE OR REPLACE FUNCTION ${schema}.leave(request json) RETURNS text LANGUAGE sql AS $sourcecast$
      DELETE FROM ${schema}.member WHERE id = request->>'member' RETURNING ''
    $sourcecast$;

    -- One process at a time: the others would only wait for the same rows. An age, a number or a size that is NULL sets no limit,
    -- since a comparison with NULL is not true.
    CREATE OR REPLACE FUNCTION ${schema}.trim(request json) RETURNS text LANGUAGE plpgsql ${byIndex} AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      max_events bigint := request->>'events';
      max_bytes bigint := request->>'bytes';
      max_age bigint := request->>'age';
      stamp bigint;
      cut record;
      floor_raised bigint;
    BEGIN
      PERFORM ${schema}.assert_read_committed();
      IF NOT pg_try_advisory_xact_lock(${lock}, 3) THEN RETURN json_build_object('more', false); END IF;
      SELECT * INTO state FROM ${schema}.state;
      stamp := greatest(${schema}.clock(), state.top_time);
      -- Looks before it takes the lock. The entries over a limit are the beginning of the sequence, and never the newest entry. So
      -- the oldest one says whether there are any.
      SELECT count(*) AS count, max(log_offset) AS log_offset INTO cut FROM (
        SELECT log_offset, log_time, total_weight - weight AS before FROM ${schema}.entry
        WHERE log_offset > state.trimmed ORDER BY log_offset LIMIT 1
      ) AS oldest WHERE ${isOver};
      IF cut.count > 0 THEN
        SELECT count(*) AS count, max(log_offset) AS log_offset INTO cut FROM (
          SELECT log_offset, log_time, total_weight - weight AS before FROM ${schema}.entry
          WHERE log_offset > state.trimmed ORDER BY log_offset LIMIT ${entriesPerSlice}
        ) AS oldest WHERE ${isOver};
      END IF;
      IF cut.log_offset IS NOT NULL THEN
        PERFORM ${lockLog(lock)};
        -- Of an empty slot, nothing can be lost.
        ${marked(schema, "trimmed", `key IS NULL AND channel <> '${encodeText(clearedChannel)}'`)}
        ${marked(schema, "superseded", "superseded")}
        IF (request->>'witnessAge')::bigint > 0 THEN
          UPDATE ${schema}.witness SET last_offset = cut.log_offset, log_time = stamp, witnesses = witnesses || (
            SELECT array_agg((e.witness - 2147483648)::integer ORDER BY e.log_offset) FROM ${schema}.entry AS e
            WHERE e.log_offset > state.trimmed AND e.log_offset <= cut.log_offset
          ) WHERE last_offset = state.trimmed AND cardinality(witnesses) < ${witnessesPerRow}
            AND first_offset = (SELECT max(first_offset) FROM ${schema}.witness);
          IF NOT FOUND THEN
            INSERT INTO ${schema}.witness (first_offset, last_offset, log_time, witnesses)
            SELECT state.trimmed + 1, cut.log_offset, stamp,
              array_agg((e.witness - 2147483648)::integer ORDER BY e.log_offset)
            FROM ${schema}.entry AS e WHERE e.log_offset > state.trimmed AND e.log_offset <= cut.log_offset;
          END IF;
        END IF;
        -- A new row for each slice: the old versions of one row would slow down readers during a long transaction.
        INSERT INTO ${schema}.floor (log_offset, witness, forgotten)
        SELECT log_offset, witness, state.forgotten FROM ${schema}.entry WHERE log_offset = cut.log_offset;
        DELETE FROM ${schema}.floor WHERE log_offset < cut.log_offset;
        DELETE FROM ${schema}.entry
        WHERE log_offset > state.trimmed AND log_offset <= cut.log_offset AND (key IS NULL OR superseded);
      END IF;
      -- The same statement forgets what has expired. Each deletion is bounded, or follows an index.
      DELETE FROM ${schema}.idempotency AS i WHERE (i.channel, i.key) IN (
        SELECT channel, key FROM ${schema}.idempotency
        WHERE log_time <= stamp - (request->>'window')::bigint LIMIT ${entriesPerSlice}
      );
      DELETE FROM ${schema}.receipt WHERE log_time <= stamp - ${receiptAgeMs};
      DELETE FROM ${schema}.witness WHERE first_offset IN (
        SELECT first_offset FROM ${schema}.witness ORDER BY first_offset LIMIT ${entriesPerSlice}
      ) AND (log_time <= stamp - (request->>'witnessAge')::bigint OR last_offset < state.trimmed - ${maxWitnesses});
      IF (request->>'forget')::boolean THEN
        SELECT max(log_offset) INTO floor_raised FROM (${excess(schema, "trimmed")} UNION ALL ${excess(schema, "superseded")}) AS excess;
        IF floor_raised IS NOT NULL THEN
          -- In one transaction with the deletion: a channel without a mark must answer with an offset at least as high.
          UPDATE ${schema}.floor SET forgotten = floor_raised;
          DELETE FROM ${schema}.trimmed WHERE log_offset <= floor_raised;
          DELETE FROM ${schema}.superseded WHERE log_offset <= floor_raised;
        END IF;
      END IF;
      UPDATE ${schema}.log SET late_time = NULL WHERE late_time <= stamp - ${receiptAgeMs + lateStepMs};
      RETURN json_build_object(
        'more', cut.count = ${entriesPerSlice},
        'removed', cut.count,
        'next', (
          SELECT log_time + max_age - stamp FROM ${schema}.entry
          WHERE log_offset > coalesce(cut.log_offset, state.trimmed) AND log_offset < state.top ORDER BY log_offset LIMIT 1
        )
      );
    END $sourcecast$;
  `;
}

/** An entry is over one of the limits. */
const isOver = `log_offset < state.top AND (
          log_offset <= state.top - max_events OR state.top_weight - before > max_bytes OR log_time + max_age <= stamp
        )`;

/** Marks the highest offset that each channel loses with a slice. It is higher than all marks before. */
function marked(schema: string, table: string, condition: string): string {
  return `
        INSERT INTO ${schema}.${table} (channel, log_offset)
        SELECT channel, max(log_offset) FROM ${schema}.entry
        WHERE log_offset > state.trimmed AND log_offset <= cut.log_offset AND ${condition}
        GROUP BY channel
        ON CONFLICT (channel) DO UPDATE SET log_offset = excluded.log_offset;`;
}

/** The oldest marks of a table that has too many. */
function excess(schema: string, table: string): string {
  return `(
          SELECT log_offset FROM ${schema}.${table} ORDER BY log_offset
          LIMIT greatest(0, (SELECT count(*) FROM ${schema}.${table}) - ${maxRememberedChannels})
        )`;
}
