// Storing one plain entry, which is what most ticks publish.
import { clearedChannel } from "../../../log/cleared.ts";
import { encodeText } from "../text.ts";
import { lockLog } from "./lock.ts";

/** Receipts for late attempts are noted once in this time, in milliseconds. */
export const lateStepMs = 60_000;

/**
 * `append_one` is `append` for the first attempt of one call with one entry, without a key and without conditions. It has no request
 * to take apart and no arrays, and it writes no receipt, which would take as long as the entry itself. It needs none: a statement
 * that was answered can neither be repeated nor arrive late. Every statement of a function, and every table of a statement, has a
 * price of its own, so everything after the lock is one INSERT that reads the newest entry and one row more. It inserts nothing
 * where more is to be decided, and leaves that to `append_again`.
 *
 * After an attempt without an answer, the process calls `append_again` with `since`, a position that it knew before. An entry after
 * it with the witness of the call is the one that the attempt has stored. The receipt that is written from then on tells an attempt
 * that arrives late that its call is over. Until a receipt is known to be stored, further calls of the process go to `append`,
 * which writes one for each tick. While there are such receipts, `late_time` says so, and first attempts look for one.
 */
export function shortFunctions(schema: string, notifyChannel: string, lock: number): string {
  const parameters =
    "member text, call bigint, channel text, type text, data text, sender text, witness bigint, weight bigint";
  const columns = `log_offset, time, log_time, witness, previous_witness, weight, total_weight, superseded,
          channel, type, data, sender`;
  // One append at a time, in all processes. As one expression: it costs a third of two.
  const enter = `nothing := CASE current_setting('transaction_isolation') WHEN 'read committed' THEN ${lockLog(lock)}::text
        ELSE ${schema}.assert_read_committed()::text END;`;
  const answer = (place: string) =>
    `format('{"epoch":"%s","calls":[[%s,1,1,0,0]],"results":[{"placed":[%s,%s,%s]}]}', state.epoch, call, ${place})`;
  return `
    CREATE OR REPLACE FUNCTION ${schema}.append_one(${parameters}, known_epoch text) RETURNS text LANGUAGE plpgsql AS $sourcecast$
    #variable_conflict use_column
    DECLARE
      answer text;
      nothing text;
    BEGIN
      ${enter}
      INSERT INTO ${schema}.entry (${columns})
      SELECT top + 1, wall, greatest(wall, top_time), append_one.witness, top_witness, append_one.weight,
        top_weight + append_one.weight, false, append_one.channel, append_one.type, append_one.data, append_one.sender
      FROM (
        SELECT e.log_offset AS top, e.witness AS top_witness, total_weight AS top_weight, log_time AS top_time,
          ${schema}.clock() AS wall
        FROM ${schema}.entry AS e ORDER BY e.log_offset DESC LIMIT 1
      ) AS newest
      -- Also of a first attempt: it may have been held up, and arrive after others of its process.
      WHERE EXISTS (SELECT FROM ${schema}.log WHERE epoch = known_epoch AND late_time IS NULL)
      RETURNING format('[%s,%s,%s]', log_offset, previous_witness, time), pg_notify('${notifyChannel}', append_one.member)
      INTO answer, nothing;
      IF answer IS NULL THEN
        RETURN ${schema}.append_again(member, call, channel, type, data, sender, witness, weight, NULL, NULL);
      END IF;
      RETURN answer;
    END $sourcecast$;

    -- The same for later attempts, and for first ones while late attempts are expected, in another epoch and in an empty log.
    CREATE OR REPLACE FUNCTION ${schema}.append_again(${parameters}, since bigint, since_witness bigint) RETURNS text
    LANGUAGE plpgsql AS $sourcecast$
    #variable_conflict use_column
    DECLARE
      state ${schema}.state%ROWTYPE;
      answer text;
      wall bigint;
      stamp bigint;
      nothing text;
    BEGIN
      ${enter}
      SELECT reply INTO answer FROM ${schema}.receipt AS r
      WHERE r.member = append_again.member AND last_call >= call ORDER BY last_call LIMIT 1;
      IF FOUND THEN RETURN answer; END IF;
      SELECT * INTO state FROM ${schema}.state;
      wall := ${schema}.clock();
      stamp := greatest(wall, state.top_time);
      IF since IS NOT NULL THEN
        SELECT ${answer(`found, ${schema}.witness_at(found - 1), wall`)}
        INTO answer FROM ${schema}.stored_since(append_again.channel, append_again.witness, since, since_witness) AS found
        WHERE found IS NOT NULL;
      END IF;
      IF answer IS NULL THEN
        INSERT INTO ${schema}.entry (${columns})
        VALUES (state.top + 1, wall, stamp, append_again.witness, state.top_witness, append_again.weight,
          state.top_weight + append_again.weight, false, append_again.channel, append_again.type, append_again.data,
          append_again.sender);
        PERFORM pg_notify('${notifyChannel}', append_again.member);
        answer := ${answer("state.top + 1, state.top_witness, wall")};
      END IF;
      IF since IS NOT NULL THEN
        INSERT INTO ${schema}.receipt (member, last_call, log_time, reply)
        VALUES (append_again.member, call, stamp, answer);
        PERFORM ${schema}.expect_late(stamp);
      END IF;
      RETURN answer;
    END $sourcecast$;

    -- An attempt of \`append_one\` may arrive late, and a receipt says that its call is over. Others follow within a minute mostly, and
    -- share the note of it: a row that is updated each time would leave a version with each of them.
    CREATE OR REPLACE FUNCTION ${schema}.expect_late(stamp bigint) RETURNS void LANGUAGE sql AS $sourcecast$
      UPDATE ${schema}.log SET late_time = stamp WHERE late_time IS NULL OR late_time <= stamp - ${lateStepMs}
    $sourcecast$;

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
