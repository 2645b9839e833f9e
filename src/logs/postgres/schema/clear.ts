// Erasing a channel: a function in the database, which leaves an empty slot for each entry of the sequence.
import { clearedChannel, clearType } from "../../../log/cleared.ts";
import { encodeText } from "../text.ts";
import { lockLog } from "./lock.ts";
import { byIndex } from "./plans.ts";

/**
 * `clear` erases the entries of a channel, its values, and its idempotency keys, and appends the entry that records it. It
 * returns the epoch and the offset of that entry, or an empty text when the channel has no entries.
 */
export function clearingFunctions(schema: string, notifyChannel: string, lock: number): string {
  return `
    -- One transaction, under the lock of all appends: no reader sees a part of it, and no entry of the channel comes in between.
    -- Offsets, witnesses and times stay, since positions in other channels depend on them. Weights stay because the sums of later
    -- entries include them.
    CREATE OR REPLACE FUNCTION ${schema}.clear(request json) RETURNS text LANGUAGE plpgsql ${byIndex} AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      name text := request->>'channel';
      first bigint;
      last bigint;
      placed bigint[];
    BEGIN
      PERFORM ${schema}.assert_read_committed();
      PERFORM ${lockLog(lock)};
      SELECT * INTO state FROM ${schema}.state;
      SELECT min(log_offset), max(log_offset) INTO first, last FROM ${schema}.entry WHERE channel = name;
      IF first IS NULL THEN RETURN ''; END IF;
      -- Below the floor there are only values, which have no place in the sequence any more.
      DELETE FROM ${schema}.entry WHERE channel = name AND log_offset <= state.trimmed;
      UPDATE ${schema}.entry SET channel = '${encodeText(clearedChannel)}', type = 'sse:cleared', superseded = false, key = NULL,
        sender = NULL, data = ''
      WHERE channel = name;
      DELETE FROM ${schema}.value WHERE channel = name;
      DELETE FROM ${schema}.idempotency WHERE channel = name;
      placed := ${schema}.place(state, ARRAY[name], ARRAY['${clearType}'],
        ARRAY[format('{"from":%s,"to":%s}', first, last)], ARRAY[NULL::text], ARRAY[NULL::text],
        ARRAY[(request->>'witness')::bigint], ARRAY[(request->>'weight')::bigint], false,
        greatest(${schema}.clock(), state.top_time));
      PERFORM pg_notify('${notifyChannel}', '');
      RETURN json_build_array(state.epoch, placed[1]);
    END $sourcecast$;
  `;
}
