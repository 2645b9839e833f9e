// Storing one plain entry, which is what most ticks publish.
import { clearedChannel } from "../../../log/cleared.ts";
import { encodeText } from "../text.ts";
import { lockLog } from "./lock.ts";

/**
 * `append_one` is `append` for one call of one entry without a key and without conditions. It has no request to take apart and no
 * arrays, and it writes no receipt, which would take as long as the entry itself. It needs none: a statement that was answered
 * can neither be repeated nor arrive late.
 *
 * After an attempt without an answer, the process passes `since`, a position that it knew before. An entry after it with the
 * witness of the call is the one that the attempt has stored. The receipt that is written from then on tells an attempt that
 * arrives late that its call is over. Until a receipt is known to be stored, further calls of the process go to `append`,
 * which writes one for each tick.
 *
 * A variable that is assigned a function of the server costs a quarter of a statement, so locking and notifying are written so.
 */
export function shortFunctions(schema: string, notifyChannel: string, lock: number): string {
  return `
    CREATE OR REPLACE FUNCTION ${schema}.append_one(member text, call bigint, channel text, type text, data text, sender text,
      witness bigint, weight bigint, since bigint, since_witness bigint) RETURNS text LANGUAGE plpgsql AS $sourcecast$
    #variable_conflict use_column
    DECLARE
      answer text;
      epoch text;
      top bigint;
      top_witness bigint;
      top_weight bigint;
      top_time bigint;
      wall bigint;
      nothing text;
    BEGIN
      IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM ${schema}.assert_read_committed();
      END IF;
      -- One append at a time, in all processes.
      nothing := ${lockLog(lock)};
      -- For the first attempt as well: it may have been held up, and arrive after others of its process.
      SELECT l.epoch, (
        SELECT reply FROM ${schema}.receipt AS r
        WHERE r.member = append_one.member AND last_call >= call ORDER BY last_call LIMIT 1
      ) INTO epoch, answer FROM ${schema}.log AS l;
      IF answer IS NOT NULL THEN RETURN answer; END IF;
      -- Retention leaves the newest entry, so the log has none only before its first.
      SELECT log_offset, e.witness, total_weight, log_time INTO top, top_witness, top_weight, top_time
      FROM ${schema}.entry AS e ORDER BY log_offset DESC LIMIT 1;
      IF NOT FOUND THEN
        SELECT 0, origin_witness, 0, 0 INTO top, top_witness, top_weight, top_time FROM ${schema}.log;
      END IF;
      wall := ${schema}.clock();
      IF since IS NOT NULL THEN
        SELECT format('{"epoch":"%s","calls":[[%s,1,1,0,0]],"results":[{"placed":[%s,%s,%s]}]}',
          epoch, call, found, ${schema}.witness_at(found - 1), wall)
        INTO answer FROM ${schema}.stored_since(append_one.channel, append_one.witness, since, since_witness) AS found
        WHERE found IS NOT NULL;
      END IF;
      IF answer IS NULL THEN
        INSERT INTO ${schema}.entry (log_offset, time, log_time, witness, previous_witness, weight, total_weight, superseded,
          channel, type, data, sender)
        VALUES (top + 1, wall, greatest(wall, top_time), append_one.witness, top_witness, append_one.weight,
          top_weight + append_one.weight, false, append_one.channel, append_one.type, append_one.data, append_one.sender);
        nothing := pg_notify('${notifyChannel}', append_one.member);
        answer := format('{"epoch":"%s","calls":[[%s,1,1,0,0]],"results":[{"placed":[%s,%s,%s]}]}',
          epoch, call, top + 1, top_witness, wall);
      END IF;
      IF since IS NOT NULL THEN
        INSERT INTO ${schema}.receipt (member, last_call, log_time, reply)
        VALUES (append_one.member, call, greatest(wall, top_time), answer);
      END IF;
      RETURN answer;
    END $sourcecast$;

    -- The offset of the entry with a witness after a position, NULL when there is none. It may have been cleared or trimmed since. In
    -- a log that is not the one of the position, any entry may be it: a restored backup has given the offsets once more. Where
    -- witnesses are not kept as long, the error says that the outcome stays unknown.
    CREATE OR REPLACE FUNCTION ${schema}.stored_since(name text, wanted bigint, since bigint, since_witness bigint) RETURNS bigint
    LANGUAGE plpgsql AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      beginning bigint := CASE WHEN ${schema}.witness_at(since) = since_witness THEN since ELSE 0 END;
      found bigint;
    BEGIN
      SELECT * INTO state FROM ${schema}.state;
      SELECT log_offset INTO found FROM ${schema}.entry
      WHERE log_offset > beginning AND witness = wanted AND channel IN (name, '${encodeText(clearedChannel)}') LIMIT 1;
      IF found IS NULL AND beginning < state.trimmed THEN
        SELECT first_offset + n - 1 INTO found
        FROM ${schema}.witness CROSS JOIN LATERAL unnest(witnesses) WITH ORDINALITY AS u(w, n)
        WHERE last_offset > beginning AND first_offset + n - 1 > beginning AND w = (wanted - 2147483648)::integer
        ORDER BY 1 DESC LIMIT 1;
        IF found IS NULL AND ${schema}.witness_at(beginning + 1) IS NULL THEN
          RAISE EXCEPTION 'the entries since the first attempt were trimmed' USING ERRCODE = 'SC002';
        END IF;
      END IF;
      RETURN found;
    END $sourcecast$;
  `;
}
