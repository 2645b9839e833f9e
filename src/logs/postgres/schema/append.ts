// Storing entries: functions in the database, so that one statement is one transaction and one round trip.
import { lockLog } from "./lock.ts";
import { byIndex } from "./plans.ts";

/**
 * The entries of a request, column by column: 1,000 of them are read in a tenth of the time that an array of JSON objects takes.
 * `batch.ts` has the same order.
 */
export const columns = [
  ["channels", "text[]"],
  ["types", "text[]"],
  ["texts", "text[]"],
  ["keys", "text[]"],
  ["senders", "text[]"],
  ["witnesses", "bigint[]"],
  ["weights", "bigint[]"],
] as const;

/** As parameters of a function. */
export const parameters: string = columns.map(([name, type]) => `${name} ${type}`).join(", ");
/** The same columns of some of the entries, by their indexes. */
const picked = columns.map(([name]) => `ARRAY(SELECT ${name}[i] FROM unnest(fresh) AS i)`).join(",\n          ");
/** And of those from one index to another. */
const sliced = columns.map(([name]) => `${name}[low:high]`).join(", ");

/**
 * The functions that write. Each runs as one statement, so no transaction of the log is ever open between two round trips: a
 * process that is frozen or cut off at any moment holds no lock.
 *
 * - `place` stores entries after the newest one. The others call it under the lock of the log.
 * - `store` stores one call with conditions or idempotency keys: answers that were given before, conflicts, the rest.
 * - `append` stores the calls of a tick. A receipt answers calls that an earlier attempt has stored, and tells an attempt that
 *   arrives late that its calls are over.
 *
 * All of them are `plpgsql` or `sql` without dynamic statements, so the server keeps their plans for a connection. None is a
 * procedure: a procedure may commit in the middle, and a process that is cut off there would leave half a call behind.
 *
 * The lock of the log is the only one that publishers wait for, see `lock.ts`.
 */
export function writingFunctions(schema: string, notifyChannel: string, lock: number): string {
  return `
    -- Called first by every function that writes: a clear error in place of lost updates.
    CREATE OR REPLACE FUNCTION ${schema}.assert_read_committed() RETURNS void LANGUAGE plpgsql AS $sourcecast$
    BEGIN
      -- Any other level would see the log as it was before it waited for the lock.
      IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION '%', current_setting('transaction_isolation') USING ERRCODE = 'SC001';
      END IF;
    END $sourcecast$;

    -- Milliseconds of Unix time. Not now(), which stands still within a transaction: entries would get the time at which their
    -- statement began to wait for the lock. And not extract(), which counts in decimal digits, and takes three times as long.
    CREATE OR REPLACE FUNCTION ${schema}.clock() RETURNS bigint LANGUAGE sql AS $sourcecast$
      SELECT floor(date_part('epoch', clock_timestamp()) * 1000)::bigint
    $sourcecast$;

    -- The witness at an offset, NULL where it is not known. The floor and the newest entry are part of the state; entries between
    -- them are found by the primary key, and trimmed ones in a row of the table witness that has some hundreds of them. They are
    -- stored as signed numbers of four bytes.
    CREATE OR REPLACE FUNCTION ${schema}.witness_at(at bigint) RETURNS bigint LANGUAGE sql STABLE AS $sourcecast$
      SELECT CASE
        WHEN at = 0 THEN origin
        WHEN at = trimmed THEN trimmed_witness
        WHEN at = top THEN top_witness
        WHEN at > trimmed THEN (SELECT witness FROM ${schema}.entry WHERE log_offset = at)
        ELSE (
          SELECT witnesses[at - first_offset + 1] + 2147483648
          FROM (SELECT * FROM ${schema}.witness WHERE first_offset <= at ORDER BY first_offset DESC LIMIT 1) AS block
          WHERE at <= last_offset
        )
      END
      FROM ${schema}.state
    $sourcecast$;

    -- The offset of the newest entry of a channel, retained or not, for a conditional append; a higher one where that is not
    -- known. Such an append is rejected then, which is safe: its publisher reads again.
    CREATE OR REPLACE FUNCTION ${schema}.last_of(name text) RETURNS bigint LANGUAGE sql STABLE AS $sourcecast$
      SELECT CASE
        WHEN found > trimmed OR trimmed = 0 THEN found
        -- Below the floor there is only the newest of each key; a later entry of the channel may be gone.
        ELSE greatest(found, coalesce((SELECT log_offset FROM ${schema}.trimmed WHERE channel = name), forgotten))
      END
      FROM ${schema}.state, LATERAL (
        SELECT coalesce(max(log_offset), 0) AS found FROM ${schema}.entry WHERE channel = name AND NOT superseded
      ) AS newest
    $sourcecast$;

    -- Stores entries in their order. The caller holds the lock of the log, and has read the state after that. Offsets are the
    -- newest one plus the place in the arrays, so they have no holes. Each entry gets its predecessor's witness, the first that of
    -- the newest entry. Returns the first offset, the witness before it, and the time, from which the process that appends makes the
    -- entries for its own tails.
    CREATE OR REPLACE FUNCTION ${schema}.place(state ${schema}.state, ${parameters}, is_keyed boolean, stamp bigint) RETURNS bigint[]
    LANGUAGE plpgsql AS $sourcecast$
    DECLARE
      wall bigint := ${schema}.clock();
      previous bigint[] := state.top_witness || witnesses[:cardinality(witnesses) - 1];
      totals bigint[] := ARRAY(
        SELECT state.top_weight + sum(w) OVER (ORDER BY n) FROM unnest(weights) WITH ORDINALITY AS u(w, n) ORDER BY n
      );
      repeated boolean[];
    BEGIN
      IF is_keyed THEN
        -- Above the floor, a superseded entry belongs to the sequence. Below it, it was kept only as the newest of its key, and it
        -- may be older than other losses of its channel.
        WITH old AS (
          SELECT log_offset FROM ${schema}.value JOIN (SELECT DISTINCT c, k FROM unnest(channels, keys) AS u(c, k)) AS u
          ON channel = c AND key = k
        ), marked AS (
          UPDATE ${schema}.entry AS e SET superseded = true FROM old
          WHERE e.log_offset = old.log_offset AND e.log_offset > state.trimmed
        ), lost AS (
          DELETE FROM ${schema}.entry AS e USING old
          WHERE e.log_offset = old.log_offset AND e.log_offset <= state.trimmed
          RETURNING e.channel, e.log_offset
        )
        INSERT INTO ${schema}.superseded AS s (channel, log_offset)
        SELECT channel, max(log_offset) FROM lost GROUP BY channel
        ON CONFLICT (channel) DO UPDATE SET log_offset = greatest(s.log_offset, excluded.log_offset);
        -- Of several entries with one key, the last one is the newest.
        repeated := ARRAY(
          SELECT k IS NOT NULL AND lead(n) OVER (PARTITION BY c, k ORDER BY n) IS NOT NULL
          FROM unnest(channels, keys) WITH ORDINALITY AS u(c, k, n) ORDER BY n
        );
      END IF;
      INSERT INTO ${schema}.entry (log_offset, time, log_time, witness, previous_witness, weight, total_weight, superseded,
        channel, type, data, key, sender)
      SELECT state.top + n, wall, stamp, w, p, b, total, coalesce(r, false), c, t, d, k, s
      FROM unnest(witnesses, previous, weights, totals, repeated, channels, types, texts, keys, senders)
        WITH ORDINALITY AS u(w, p, b, total, r, c, t, d, k, s, n);
      IF is_keyed THEN
        INSERT INTO ${schema}.value (channel, key, log_offset, weight)
        SELECT c, k, state.top + n, w FROM unnest(channels, keys, weights, repeated) WITH ORDINALITY AS u(c, k, w, r, n)
        WHERE k IS NOT NULL AND NOT r
        ON CONFLICT (channel, key) DO UPDATE SET log_offset = excluded.log_offset, weight = excluded.weight;
      END IF;
      RETURN ARRAY[state.top + 1, state.top_witness, wall];
    END $sourcecast$;

    -- Stores one call whose entries have conditions or idempotency keys. An entry whose key is known is answered whatever its
    -- after says, and entries of the same call do not count for one another's after: both are part of the contract. The key is
    -- stored in the same transaction, so that no crash can separate an entry from its key.
    CREATE OR REPLACE FUNCTION ${schema}.store(call json, ${parameters}, stamp bigint, since bigint) RETURNS json
    LANGUAGE plpgsql AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      conditions json[] := ARRAY(SELECT json_array_elements(call->'conditions'));
      entry json;
      known record;
      newest bigint;
      next bigint;
      fresh integer[] := '{}';
      places json[] := '{}';
      placed bigint[];
    BEGIN
      SELECT * INTO state FROM ${schema}.state;
      -- Everything that can reject the call is checked before anything of it is stored.
      FOR n IN 1 .. cardinality(channels) LOOP
        entry := conditions[n];
        CONTINUE WHEN entry->'a' IS NULL OR EXISTS (
          SELECT FROM ${schema}.idempotency AS i
          WHERE i.channel = channels[n] AND i.key = entry->>'i' AND i.log_time > since
        );
        IF entry#>>'{a,0}' <> state.epoch OR (entry#>>'{a,1}')::bigint > state.top
          OR ${schema}.witness_at((entry#>>'{a,1}')::bigint) IS DISTINCT FROM (entry#>>'{a,2}')::bigint
        THEN
          RETURN json_build_object('conflict', n - 1);
        END IF;
        newest := ${schema}.last_of(channels[n]);
        IF newest > (entry#>>'{a,1}')::bigint THEN
          RETURN json_build_object('conflict', n - 1, 'last', newest);
        END IF;
      END LOOP;
      next := state.top;
      FOR n IN 1 .. cardinality(channels) LOOP
        entry := conditions[n];
        IF entry->'i' IS NOT NULL THEN
          SELECT i.log_offset, i.witness INTO known FROM ${schema}.idempotency AS i
          WHERE i.channel = channels[n] AND i.key = entry->>'i' AND i.log_time > since;
          IF FOUND THEN
            places := places || json_build_array(known.log_offset, known.witness, true);
            CONTINUE;
          END IF;
        END IF;
        next := next + 1;
        fresh := fresh || n;
        places := places || json_build_array(next, witnesses[n], false);
        CONTINUE WHEN entry->'i' IS NULL;
        INSERT INTO ${schema}.idempotency (channel, key, log_time, log_offset, witness)
        VALUES (channels[n], entry->>'i', stamp, next, witnesses[n])
        ON CONFLICT (channel, key) DO UPDATE
        SET log_time = excluded.log_time, log_offset = excluded.log_offset, witness = excluded.witness;
      END LOOP;
      IF cardinality(fresh) > 0 THEN
        placed := ${schema}.place(
          state,
          ${picked},
          (call->>'keyed')::boolean,
          stamp
        );
      END IF;
      RETURN json_build_object('placed', placed, 'places', array_to_json(places));
    END $sourcecast$;

    -- A segment without conditions is stored as a whole, however many calls it has. Each call with conditions is a segment of its
    -- own, decided after the ones before it were stored.
    CREATE OR REPLACE FUNCTION ${schema}.append(request json, ${parameters}) RETURNS text LANGUAGE plpgsql ${byIndex} AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      call json;
      answer text;
      results json[] := '{}';
      stamp bigint;
      low integer;
      high integer;
    BEGIN
      PERFORM ${schema}.assert_read_committed();
      -- One append at a time, in all processes: offsets are in the order of commits, and have no holes.
      PERFORM ${lockLog(lock)};
      SELECT reply INTO answer FROM ${schema}.receipt
      WHERE member = request->>'member' AND last_call >= (request->>'first')::bigint ORDER BY last_call LIMIT 1;
      IF FOUND THEN RETURN answer; END IF;
      SELECT * INTO state FROM ${schema}.state;
      stamp := greatest(${schema}.clock(), state.top_time);
      FOR call IN SELECT json_array_elements(request->'segments') LOOP
        low := call->>'low';
        high := call->>'high';
        IF call->'conditions' IS NULL THEN
          -- Of several segments, each begins where the one before has ended.
          IF low > 1 THEN SELECT * INTO state FROM ${schema}.state; END IF;
          results := results || json_build_object(
            'placed', ${schema}.place(state, ${sliced}, (call->>'keyed')::boolean, stamp)
          );
        ELSE
          results := results || ${schema}.store(call, ${sliced}, stamp, stamp - (request->>'window')::bigint);
        END IF;
      END LOOP;
      answer := json_build_object('epoch', state.epoch, 'calls', request->'calls', 'results', array_to_json(results));
      -- A new row each time, found from the newest on: a row that is updated would leave a version behind with each append, and
      -- during a long transaction of the application none of them could be removed.
      INSERT INTO ${schema}.receipt (member, last_call, log_time, reply)
      VALUES (request->>'member', (request->>'last')::bigint, stamp, answer);
      IF (request->>'late')::boolean THEN PERFORM ${schema}.expect_late(stamp); END IF;
      -- With the member, which gets its own entries by the answer.
      PERFORM pg_notify('${notifyChannel}', request->>'member');
      RETURN answer;
    END $sourcecast$;
  `;
}
