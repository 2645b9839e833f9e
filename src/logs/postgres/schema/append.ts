// Storing entries: functions in the database, so that one statement is one transaction and one round trip.

/** The fields of an entry in a request: channel, type, data, key, sender, witness, weight. */
const fields = "c text, t text, d text, k text, s text, w bigint, b bigint";

/** Calls that one statement moves from the outbox, and their bytes: publishers wait for it. */
const callsPerMove = 500;
const bytesPerMove = 4 * 1024 ** 2;

/**
 * The functions that write. Each runs as one statement, so no transaction of the log is ever open between two round trips: a
 * process that is frozen or cut off at any moment holds no lock.
 *
 * - `place` stores entries after the newest one. The others call it under the lock of the log's row.
 * - `store` stores one call with conditions or idempotency keys: answers that were given before, conflicts, the rest.
 * - `append` stores the calls of a tick. A receipt answers calls that an earlier attempt has stored, and tells an attempt that
 *   arrives late that its calls are over.
 * - `enqueue` puts a call into the outbox, within a transaction of the application. It takes no lock that others wait for.
 * - `sequence` moves calls from the outbox to the log, and returns how many.
 */
export function writingFunctions(schema: string, notifyChannel: string, lock: number): string {
  return `
    CREATE FUNCTION ${schema}.assert_read_committed() RETURNS void LANGUAGE plpgsql AS $sourcecast$
    BEGIN
      -- Any other level would see the log as it was before it waited for the lock.
      IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION '%', current_setting('transaction_isolation') USING ERRCODE = 'SC001';
      END IF;
    END $sourcecast$;

    CREATE FUNCTION ${schema}.clock() RETURNS bigint LANGUAGE sql AS $sourcecast$
      SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
    $sourcecast$;

    CREATE FUNCTION ${schema}.witness_at(at bigint) RETURNS bigint LANGUAGE sql STABLE AS $sourcecast$
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

    CREATE FUNCTION ${schema}.last_of(name text) RETURNS bigint LANGUAGE sql STABLE AS $sourcecast$
      SELECT CASE
        WHEN found > trimmed OR trimmed = 0 THEN found
        -- Below the floor there is only the newest of each key; a later entry of the channel may be gone.
        ELSE greatest(found, coalesce((SELECT log_offset FROM ${schema}.trimmed WHERE channel = name), forgotten))
      END
      FROM ${schema}.state, LATERAL (
        SELECT coalesce(max(log_offset), 0) AS found FROM ${schema}.entry WHERE channel = name AND NOT superseded
      ) AS newest
    $sourcecast$;

    CREATE FUNCTION ${schema}.place(entries json, is_keyed boolean, stamp bigint) RETURNS bigint[]
    LANGUAGE plpgsql AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      wall bigint := ${schema}.clock();
    BEGIN
      SELECT * INTO state FROM ${schema}.state;
      IF is_keyed THEN
        -- Above the floor, a superseded entry belongs to the sequence. Below it, it was kept only as the newest of its key.
        DELETE FROM ${schema}.entry USING (SELECT DISTINCT c, k FROM json_to_recordset(entries) AS e(${fields})) AS e
        WHERE channel = c AND key = k AND NOT superseded AND log_offset <= state.trimmed;
        UPDATE ${schema}.entry SET superseded = true
        FROM (SELECT DISTINCT c, k FROM json_to_recordset(entries) AS e(${fields})) AS e
        WHERE channel = c AND key = k AND NOT superseded;
      END IF;
      INSERT INTO ${schema}.entry (log_offset, witness, previous_witness, time, log_time, weight, total_weight, superseded,
        channel, type, key, sender, data)
      SELECT state.top + n, w, lag(w, 1, state.top_witness) OVER sequence, wall, stamp, b,
        state.top_weight + sum(b) OVER sequence,
        is_keyed AND k IS NOT NULL AND lead(n) OVER (PARTITION BY c, k ORDER BY n) IS NOT NULL, c, t, k, s, d
      FROM ROWS FROM (json_to_recordset(entries) AS (${fields})) WITH ORDINALITY AS e(c, t, d, k, s, w, b, n)
      WINDOW sequence AS (ORDER BY n);
      RETURN ARRAY[state.top + 1, state.top_witness, wall];
    END $sourcecast$;

    CREATE FUNCTION ${schema}.store(call json, stamp bigint, since bigint) RETURNS json
    LANGUAGE plpgsql AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      entry json;
      known record;
      newest bigint;
      next bigint;
      n integer := 0;
      fresh json[] := '{}';
      places json[] := '{}';
      placed bigint[];
    BEGIN
      SELECT * INTO state FROM ${schema}.state;
      -- Everything that can reject the call is checked before anything of it is stored.
      FOR entry IN SELECT json_array_elements(call->'entries') LOOP
        n := n + 1;
        CONTINUE WHEN entry->'a' IS NULL OR EXISTS (
          SELECT FROM ${schema}.idempotency AS i
          WHERE i.channel = entry->>'c' AND i.key = entry->>'i' AND i.log_time > since
        );
        IF entry#>>'{a,0}' <> state.epoch OR (entry#>>'{a,1}')::bigint > state.top
          OR ${schema}.witness_at((entry#>>'{a,1}')::bigint) IS DISTINCT FROM (entry#>>'{a,2}')::bigint
        THEN
          RETURN json_build_object('conflict', n - 1);
        END IF;
        newest := ${schema}.last_of(entry->>'c');
        IF newest > (entry#>>'{a,1}')::bigint THEN
          RETURN json_build_object('conflict', n - 1, 'last', newest);
        END IF;
      END LOOP;
      next := state.top;
      FOR entry IN SELECT json_array_elements(call->'entries') LOOP
        IF entry->'i' IS NOT NULL THEN
          SELECT i.log_offset, i.witness INTO known FROM ${schema}.idempotency AS i
          WHERE i.channel = entry->>'c' AND i.key = entry->>'i' AND i.log_time > since;
          IF FOUND THEN
            places := places || json_build_array(known.log_offset, known.witness, true);
            CONTINUE;
          END IF;
        END IF;
        next := next + 1;
        fresh := fresh || entry;
        places := places || json_build_array(next, (entry->>'w')::bigint, false);
        CONTINUE WHEN entry->'i' IS NULL;
        INSERT INTO ${schema}.idempotency (channel, key, log_time, log_offset, witness)
        VALUES (entry->>'c', entry->>'i', stamp, next, (entry->>'w')::bigint)
        ON CONFLICT (channel, key) DO UPDATE
        SET log_time = excluded.log_time, log_offset = excluded.log_offset, witness = excluded.witness;
      END LOOP;
      IF cardinality(fresh) > 0 THEN
        placed := ${schema}.place(array_to_json(fresh), (call->>'keyed')::boolean, stamp);
      END IF;
      RETURN json_build_object('placed', placed, 'places', array_to_json(places));
    END $sourcecast$;

    CREATE FUNCTION ${schema}.append(request json) RETURNS text LANGUAGE plpgsql AS $sourcecast$
    DECLARE
      call json;
      answer text;
      results json[] := '{}';
      stamp bigint;
    BEGIN
      PERFORM ${schema}.assert_read_committed();
      -- One append at a time, in all processes: offsets are in the order of commits, and have no holes.
      PERFORM FROM ${schema}.log FOR UPDATE;
      SELECT reply INTO answer FROM ${schema}.receipt
      WHERE member = request->>'member' AND last_call >= (request->>'first')::bigint ORDER BY last_call LIMIT 1;
      IF FOUND THEN RETURN answer; END IF;
      SELECT greatest(${schema}.clock(), top_time) INTO stamp FROM ${schema}.state;
      FOR call IN SELECT json_array_elements(request->'segments') LOOP
        IF (call->>'plain')::boolean THEN
          results := results || json_build_object(
            'placed', ${schema}.place(call->'entries', (call->>'keyed')::boolean, stamp)
          );
        ELSE
          results := results || ${schema}.store(call, stamp, stamp - (request->>'window')::bigint);
        END IF;
      END LOOP;
      answer := json_build_object(
        'epoch', (SELECT epoch FROM ${schema}.log), 'calls', request->'calls', 'results', array_to_json(results)
      );
      INSERT INTO ${schema}.receipt (member, last_call, log_time, reply)
      VALUES (request->>'member', (request->>'last')::bigint, stamp, answer);
      PERFORM pg_notify('${notifyChannel}', '');
      RETURN answer;
    END $sourcecast$;

    CREATE FUNCTION ${schema}.enqueue(request json) RETURNS text LANGUAGE plpgsql AS $sourcecast$
    BEGIN
      INSERT INTO ${schema}.outbox (weight, call) VALUES ((request->>'weight')::bigint, request->'call');
      RETURN '';
    END $sourcecast$;

    CREATE FUNCTION ${schema}.sequence(request json) RETURNS text LANGUAGE plpgsql AS $sourcecast$
    DECLARE
      calls json[];
      call json;
      stamp bigint;
    BEGIN
      PERFORM ${schema}.assert_read_committed();
      -- Held until this statement ends, so it is safe with a pooler, and nothing keeps it when a process dies.
      IF NOT pg_try_advisory_xact_lock(${lock}, 2) OR NOT EXISTS (SELECT FROM ${schema}.outbox) THEN RETURN 0; END IF;
      PERFORM FROM ${schema}.log FOR UPDATE;
      WITH taken AS (
        DELETE FROM ${schema}.outbox AS o USING (
          SELECT id, row_number() OVER oldest AS n, sum(weight) OVER oldest AS total
          FROM (SELECT id, weight FROM ${schema}.outbox ORDER BY id LIMIT ${callsPerMove}) AS first
          WINDOW oldest AS (ORDER BY id)
        ) AS chosen
        WHERE o.id = chosen.id AND (n = 1 OR total <= ${bytesPerMove})
        RETURNING o.id, o.call
      )
      SELECT array_agg(taken.call ORDER BY id) INTO calls FROM taken;
      SELECT greatest(${schema}.clock(), top_time) INTO stamp FROM ${schema}.state;
      IF (SELECT bool_and((c->>'plain')::boolean) FROM unnest(calls) AS c) THEN
        PERFORM ${schema}.place(
          (
            SELECT json_agg(entry ORDER BY position, n)
            FROM unnest(calls) WITH ORDINALITY AS taken(c, position),
              json_array_elements(c->'entries') WITH ORDINALITY AS e(entry, n)
          ),
          (SELECT bool_or((c->>'keyed')::boolean) FROM unnest(calls) AS c),
          stamp
        );
      ELSE
        FOREACH call IN ARRAY calls LOOP
          PERFORM ${schema}.store(call, stamp, stamp - (request->>'window')::bigint);
        END LOOP;
      END IF;
      PERFORM pg_notify('${notifyChannel}', '');
      RETURN cardinality(calls);
    END $sourcecast$;
  `;
}
