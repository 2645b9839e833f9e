// Storing the plain entries of a tick: those without keys and conditions.
import { noText, separator } from "../text.ts";
import { lockLog } from "./lock.ts";

/**
 * `append_plain` is `append` for entries of which nothing is decided. A burst of a thousand takes it two thirds of the time:
 *
 * - The texts of a column are one text with separators, which needs no quotes to be added and removed.
 * - Lists that are unnested side by side in a SELECT are read as they go. As tables, each would be stored first.
 * - Weights come as running totals. The runs of calls are only kept, for the answer.
 *
 * The names of its variables are not those of columns.
 */
export function plainFunctions(schema: string, notifyChannel: string, lock: number): string {
  const list = (column: string) => `unnest(string_to_array(${column}, ${literal(separator)}, ${literal(noText)}))`;
  return `
    CREATE OR REPLACE FUNCTION ${schema}.append_plain(process text, first bigint, last bigint, calls text, channels text,
      types text, texts text, senders text, witnesses bigint[], totals bigint[]) RETURNS text LANGUAGE plpgsql AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      answer text;
      wall bigint;
      stamp bigint;
    BEGIN
      PERFORM ${schema}.assert_read_committed();
      PERFORM ${lockLog(lock)};
      SELECT reply INTO answer FROM ${schema}.receipt
      WHERE member = process AND last_call >= first ORDER BY last_call LIMIT 1;
      IF FOUND THEN RETURN answer; END IF;
      SELECT * INTO state FROM ${schema}.state;
      wall := ${schema}.clock();
      stamp := greatest(wall, state.top_time);
      INSERT INTO ${schema}.entry (log_offset, time, log_time, witness, previous_witness, weight, total_weight, superseded,
        channel, type, data, sender)
      SELECT state.top + n, wall, stamp, witnesses[n], coalesce(witnesses[n - 1], state.top_witness),
        totals[n] - coalesce(totals[n - 1], 0), state.top_weight + totals[n], false, c, t, d, s
      FROM (
        SELECT generate_series(1, cardinality(witnesses)) AS n, ${list("channels")} AS c, ${list("types")} AS t,
          ${list("texts")} AS d, ${list("senders")} AS s
      ) AS columns;
      answer := format('{"epoch":"%s","calls":%s,"results":[{"placed":[%s,%s,%s]}]}',
        state.epoch, calls, state.top + 1, state.top_witness, wall);
      INSERT INTO ${schema}.receipt (member, last_call, log_time, reply) VALUES (process, last, stamp, answer);
      PERFORM pg_notify('${notifyChannel}', process);
      RETURN answer;
    END $sourcecast$;
  `;
}

/** Of ASCII, as SQL writes it. */
function literal(text: string): string {
  return `E'${text.replace(/[^a-z]/g, (mark) => `\\x${mark.charCodeAt(0).toString(16).padStart(2, "0")}`)}'`;
}
