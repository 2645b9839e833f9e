// Publishing within transactions of the application: functions that fill the outbox, and that move its calls to the log.
import { columns, parameters } from "./append.ts";
import { lockLog } from "./lock.ts";
import { byIndex } from "./plans.ts";

/** Calls that one statement moves from the outbox, and their bytes: publishers wait for it. */
const callsPerMove = 500;
const bytesPerMove = 4 * 1024 ** 2;

const names = columns.map(([name]) => name).join(", ");
/** The columns of a row of the outbox. */
const ofOne = columns.map(([name]) => `one.${name}`).join(", ");

/**
 * - `enqueue` puts a call into the outbox, within a transaction of the application. It takes no lock that others wait for.
 * - `sequence` moves calls from the outbox to the log, and returns how many.
 */
export function outboxFunctions(schema: string, notifyChannel: string, lock: number): string {
  return `
    -- Runs in the transaction of the application, at its isolation level. It reads nothing that others write, so it cannot fail to
    -- be serialized, and it notifies no connection: NOTIFY takes a lock that is held until the commit.
    CREATE OR REPLACE FUNCTION ${schema}.enqueue(call json, ${parameters}) RETURNS text LANGUAGE plpgsql AS $sourcecast$
    BEGIN
      INSERT INTO ${schema}.outbox (call, ${names}) VALUES (call, ${names});
      RETURN '';
    END $sourcecast$;

    -- The rows of one transaction have ascending numbers, so they keep their order. A transaction that commits later than others
    -- may have lower numbers: its rows are simply found later. Deleting and storing are one transaction: each row is moved once.
    CREATE OR REPLACE FUNCTION ${schema}.sequence(request json) RETURNS text LANGUAGE plpgsql ${byIndex} AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      taken ${schema}.outbox[];
      one ${schema}.outbox;
      stamp bigint;
    BEGIN
      PERFORM ${schema}.assert_read_committed();
      -- Held until this statement ends, so it is safe with a pooler, and nothing keeps it when a process dies.
      IF NOT pg_try_advisory_xact_lock(${lock}, 2) OR NOT EXISTS (SELECT FROM ${schema}.outbox) THEN RETURN 0; END IF;
      PERFORM ${lockLog(lock)};
      -- The oldest ones, as far as the bytes go; one at least, however large it is.
      WITH taken AS (
        DELETE FROM ${schema}.outbox AS o USING (
          SELECT id, row_number() OVER oldest AS n, sum(weight) OVER oldest AS total FROM (
            SELECT id, (SELECT sum(w) FROM unnest(weights) AS w) AS weight FROM ${schema}.outbox
            ORDER BY id LIMIT ${callsPerMove}
          ) AS first
          WINDOW oldest AS (ORDER BY id)
        ) AS chosen
        WHERE o.id = chosen.id AND (n = 1 OR total <= ${bytesPerMove})
        RETURNING o
      )
      SELECT array_agg(o ORDER BY (o).id) INTO taken FROM taken;
      SELECT * INTO state FROM ${schema}.state;
      stamp := greatest(${schema}.clock(), state.top_time);
      FOREACH one IN ARRAY taken LOOP
        IF one.call->'conditions' IS NULL THEN
          SELECT * INTO state FROM ${schema}.state;
          PERFORM ${schema}.place(state, ${ofOne},
            (one.call->>'keyed')::boolean, stamp);
        ELSE
          PERFORM ${schema}.store(one.call, ${ofOne},
            stamp, stamp - (request->>'window')::bigint);
        END IF;
      END LOOP;
      PERFORM pg_notify('${notifyChannel}', '');
      RETURN cardinality(taken);
    END $sourcecast$;
  `;
}
