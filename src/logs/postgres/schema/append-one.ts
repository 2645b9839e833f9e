// Storing one plain entry, which is what most ticks publish.

/**
 * `append_one` is `append` for one call of one entry without a key and without conditions: it has no request to take apart and no
 * arrays, and takes less than half the time. Each of the two finds the receipts of the other, since a call may be tried again
 * together with others, or apart from them.
 */
export function shortFunctions(schema: string, notifyChannel: string): string {
  return `
    CREATE OR REPLACE FUNCTION ${schema}.append_one(member text, call bigint, channel text, type text, data text, sender text,
      witness bigint, weight bigint) RETURNS text LANGUAGE plpgsql AS $sourcecast$
    #variable_conflict use_column
    DECLARE
      answer text;
      head record;
      newest record;
      wall bigint;
      stamp bigint;
    BEGIN
      IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM ${schema}.assert_read_committed();
      END IF;
      -- One append at a time, in all processes.
      SELECT epoch, origin_witness INTO head FROM ${schema}.log FOR UPDATE;
      -- For the first attempt as well: it may have been held up, and arrive after others of its process.
      SELECT reply INTO answer FROM ${schema}.receipt AS r
      WHERE r.member = append_one.member AND last_call >= call ORDER BY last_call LIMIT 1;
      IF FOUND THEN RETURN answer; END IF;
      -- Retention leaves the newest entry, so the log has none only before its first.
      SELECT log_offset, e.witness, total_weight, log_time INTO newest FROM ${schema}.entry AS e ORDER BY log_offset DESC LIMIT 1;
      IF NOT FOUND THEN
        SELECT 0::bigint AS log_offset, head.origin_witness AS witness, 0::bigint AS total_weight, 0::bigint AS log_time INTO newest;
      END IF;
      wall := ${schema}.clock();
      stamp := greatest(wall, newest.log_time);
      INSERT INTO ${schema}.entry (log_offset, time, log_time, witness, previous_witness, weight, total_weight, superseded,
        channel, type, data, sender)
      VALUES (newest.log_offset + 1, wall, stamp, append_one.witness, newest.witness, append_one.weight,
        newest.total_weight + append_one.weight, false, append_one.channel, append_one.type, append_one.data, append_one.sender);
      answer := format('{"epoch":"%s","calls":[[%s,1,1,0,0]],"results":[{"placed":[%s,%s,%s]}]}',
        head.epoch, call, newest.log_offset + 1, newest.witness, wall);
      INSERT INTO ${schema}.receipt (member, last_call, log_time, reply) VALUES (append_one.member, call, stamp, answer);
      PERFORM pg_notify('${notifyChannel}', '');
      RETURN answer;
    END $sourcecast$;
  `;
}
