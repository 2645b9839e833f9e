// Reading: functions in the database. STABLE functions see one state of the log, however many queries they run.
import { isSelected, maxMergedChannels, selectionArrays } from "./pages.ts";
import { byIndex } from "./plans.ts";

/** The columns of an entry in an answer, in the order in which `entryOf` takes them. */
const columns = "log_offset, witness, previous_witness, time, channel, type, data, key, sender";
const entriesAsJson = `coalesce(json_agg(json_build_array(${columns}) ORDER BY log_offset), '[]')`;

/** Values that one page has at most: they are bounded by bytes alone. */
const valuesPerPage = 1_024;
/** So many of the channels that lost something most recently are checked before all channels of a prefix are. */
const recentChannels = 256;
/** The largest page of a tail. */
const tailPageEntries = 1_000;
const tailPageBytes = 4 * 1024 ** 2;

/**
 * The functions that answer questions. A selection is `{ "names": […], "ranges": [[low, high], …] }`, with a range for each
 * prefix, whose `high` may be null; NULL selects everything.
 *
 * - `head_of` is the head of a state, with the word whether a replica answers.
 * - `next` is what a tail takes: the entries after an offset, and the head of the same state.
 * - `has_values` says whether a selection has entries with keys.
 * - `locate` answers the questions of many clients: each channel, prefix and offset once.
 * - `trimmed_of` is the highest offset that a selection has lost, or a higher one where that is not known.
 *
 * They return text rather than `json`: clients parse that type on their own, each in another way.
 * `entries_at` reads the data of entries whose offsets are known by then, and orders them, since `ANY` promises no order.
 *
 * Each of them begins with the state, from which `head_of` makes the head of the answer. Pages, marks of losses and the floor thus
 * belong to one moment, although retention may run at any time. That holds within one statement, as which each is called.
 */
export function readingFunctions(schema: string): string {
  return `
    -- A replica may lag, so the process rejects its answer. The server itself rejects only what writes.
    CREATE OR REPLACE FUNCTION ${schema}.head_of(state ${schema}.state) RETURNS json LANGUAGE sql STABLE AS $sourcecast$
      SELECT json_build_object(
        'epoch', state.epoch, 'top', state.top, 'witness', state.top_witness,
        'floor', json_build_object('offset', state.trimmed, 'witness', state.trimmed_witness),
        'replica', pg_is_in_recovery()
      )
    $sourcecast$;

    CREATE OR REPLACE FUNCTION ${schema}.head() RETURNS text LANGUAGE sql STABLE AS $sourcecast$
      SELECT ${schema}.head_of(state) FROM ${schema}.state
    $sourcecast$;

    CREATE OR REPLACE FUNCTION ${schema}.witnesses(request json) RETURNS text LANGUAGE sql STABLE AS $sourcecast$
      SELECT coalesce(json_agg(${schema}.witness_at(at::bigint) ORDER BY n), '[]')
      FROM json_array_elements_text(request) WITH ORDINALITY AS o(at, n)
    $sourcecast$;

    -- Superseded entries too: a tail delivers the whole sequence. The first entry is returned however large it is. The last field
    -- saves a question: a process whose tail reads anyway learns that the outbox has something.
    CREATE OR REPLACE FUNCTION ${schema}.next(request json) RETURNS text LANGUAGE plpgsql STABLE ${byIndex} AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      after bigint := request->>'after';
      found json;
    BEGIN
      SELECT * INTO state FROM ${schema}.state;
      -- A notification mostly announces one entry, for which nothing has to be ordered and added up.
      IF state.top = after + 1 THEN
        SELECT json_build_array(json_build_array(${columns})) INTO found FROM ${schema}.entry WHERE log_offset = state.top;
      ELSE
        -- Below the floor are only kept values, which are not part of the sequence that a tail delivers.
        SELECT ${entriesAsJson} INTO found FROM (
          SELECT *, total_weight - weight - first_value(total_weight - weight) OVER (ORDER BY log_offset) AS bytes_before FROM (
            SELECT * FROM ${schema}.entry WHERE log_offset > greatest(after, state.trimmed)
            ORDER BY log_offset LIMIT ${tailPageEntries}
          ) AS first
        ) AS page WHERE bytes_before < ${tailPageBytes};
      END IF;
      RETURN json_build_object(
        'head', ${schema}.head_of(state), 'entries', found, 'outbox', EXISTS (SELECT FROM ${schema}.outbox)
      );
    END $sourcecast$;

    CREATE OR REPLACE FUNCTION ${schema}.trimmed_of(selection json, state ${schema}.state, conflate boolean) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $sourcecast$
    DECLARE
      result bigint := 0;
      bounds json;
      lost bigint;
    BEGIN
      IF selection IS NULL OR state.trimmed = 0 THEN RETURN state.trimmed; END IF;
      ${raisedByMarks(schema, "trimmed")}
      IF NOT conflate THEN
        ${raisedByMarks(schema, "superseded")}
      END IF;
      RETURN result;
    END $sourcecast$;

    -- The first name of a range is enough: an index that begins with the channel finds it at once.
    CREATE OR REPLACE FUNCTION ${schema}.has_values(selection json) RETURNS boolean LANGUAGE sql STABLE AS $sourcecast$
      SELECT EXISTS (
        SELECT FROM json_array_elements_text(selection->'names') AS n
        WHERE (SELECT true FROM ${schema}.value WHERE channel = n LIMIT 1)
      ) OR EXISTS (
        SELECT FROM json_array_elements(selection->'ranges') AS bounds
        WHERE (
          SELECT bounds->>1 IS NULL OR channel < bounds->>1 FROM ${schema}.value
          WHERE channel >= bounds->>0 ORDER BY channel LIMIT 1
        )
      )
    $sourcecast$;

    CREATE OR REPLACE FUNCTION ${schema}.entries_at(offsets bigint[]) RETURNS json LANGUAGE sql STABLE AS $sourcecast$
      SELECT ${entriesAsJson} FROM ${schema}.entry WHERE log_offset = ANY(offsets)
    $sourcecast$;

    -- Entries, trimmed and floor are of one state, so no loss is missed between them. Superseded entries are counted by an index of
    -- their own; those below the floor are gone, so they count as trimmed.
    CREATE OR REPLACE FUNCTION ${schema}.read(request json) RETURNS text LANGUAGE plpgsql STABLE ${byIndex} AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      selection json := request->'selection';
      ${selectionArrays}
      conflate boolean := request->>'conflate';
      after bigint := request->>'after';
      page record;
      conflated bigint := 0;
    BEGIN
      SELECT * INTO state FROM ${schema}.state;
      IF conflate THEN
        SELECT * INTO page FROM ${schema}.page_newest(
          after, greatest(after, state.top), (request->>'limit')::integer, (request->>'bytes')::bigint, selection);
        IF page.names IS NULL THEN
          SELECT count(*) INTO conflated FROM ${schema}.entry
          WHERE superseded AND log_offset > after AND log_offset <= page.through
            AND ${isSelected};
        ELSE
          SELECT count(*) INTO conflated FROM ${schema}.entry
          WHERE superseded AND channel = ANY(page.names) AND log_offset > after AND log_offset <= page.through;
        END IF;
      ELSE
        SELECT * INTO page FROM ${schema}.page_all(
          after, greatest(after, state.top), (request->>'limit')::integer, (request->>'bytes')::bigint, selection);
      END IF;
      RETURN json_build_object(
        'head', ${schema}.head_of(state), 'entries', ${schema}.entries_at(page.offsets), 'through', page.through,
        'conflated', conflated, 'trimmed', ${schema}.trimmed_of(selection, state, conflate)
      );
    END $sourcecast$;

    -- The table of values has those below the floor too, so nothing has to be added for those that retention took
    -- from the sequence.
    CREATE OR REPLACE FUNCTION ${schema}.values(request json) RETURNS text LANGUAGE plpgsql STABLE ${byIndex} AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      after bigint := request->>'after';
      page record;
    BEGIN
      SELECT * INTO state FROM ${schema}.state;
      SELECT * INTO page FROM ${schema}.page_values(
        after, greatest(after, (request->>'upTo')::bigint), ${valuesPerPage}, (request->>'bytes')::bigint, request->'selection');
      RETURN json_build_object(
        'head', ${schema}.head_of(state), 'entries', ${schema}.entries_at(page.offsets), 'through', page.through);
    END $sourcecast$;

    -- By channel while there are few; otherwise from the end of the log, where the last ones are most often.
    CREATE OR REPLACE FUNCTION ${schema}.last(request json) RETURNS text LANGUAGE plpgsql STABLE ${byIndex} AS $sourcecast$
    DECLARE
      selection json := request->'selection';
      ${selectionArrays}
      names text[] := ${schema}.names_of(selection, ${maxMergedChannels}, false);
      most integer := request->>'count';
      found bigint[];
    BEGIN
      IF names IS NULL THEN
        found := ARRAY(
          SELECT log_offset FROM ${schema}.entry WHERE NOT superseded AND ${isSelected}
          ORDER BY log_offset DESC LIMIT most
        );
      ELSE
        found := ARRAY(
          SELECT e.log_offset FROM unnest(names) AS n CROSS JOIN LATERAL (
            SELECT log_offset FROM ${schema}.entry WHERE channel = n AND NOT superseded ORDER BY log_offset DESC LIMIT most
          ) AS e
          ORDER BY e.log_offset DESC LIMIT most
        );
      END IF;
      RETURN ${schema}.entries_at(found);
    END $sourcecast$;

    -- Only searches of indexes, no scans: a storm of reconnects must not cost more than its number of different channels.
    CREATE OR REPLACE FUNCTION ${schema}.locate(request json) RETURNS text LANGUAGE plpgsql STABLE ${byIndex} AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      channels json;
      prefixes json;
    BEGIN
      SELECT * INTO state FROM ${schema}.state;
      SELECT json_agg(json_build_array(
        (
          -- The newest entry of a channel is never superseded.
          SELECT CASE WHEN newest.type = 'sse:end' THEN json_build_array(${columns.replace(/(\w+)/g, "newest.$1")}) END
          FROM (
            SELECT * FROM ${schema}.entry WHERE channel = name AND NOT superseded ORDER BY log_offset DESC LIMIT 1
          ) AS newest
        ),
        CASE
          WHEN state.trimmed = 0 THEN 0
          ELSE coalesce((SELECT log_offset FROM ${schema}.trimmed WHERE channel = name), state.forgotten)
        END,
        -- Not EXISTS, which may read all values once in place of one for each channel.
        (SELECT true FROM ${schema}.value WHERE channel = name LIMIT 1) IS NOT NULL
      ) ORDER BY n) INTO channels FROM json_array_elements_text(request->'names') WITH ORDINALITY AS c(name, n);
      SELECT json_agg(json_build_array(
        NULL, ${schema}.trimmed_of(selection, state, true), ${schema}.has_values(selection)
      ) ORDER BY n) INTO prefixes
      FROM json_array_elements(request->'ranges') WITH ORDINALITY AS r(bounds, n),
        LATERAL (SELECT json_build_object('names', '[]'::json, 'ranges', json_build_array(bounds)) AS selection) AS one;
      RETURN json_build_object(
        'head', ${schema}.head_of(state), 'channels', channels, 'prefixes', prefixes,
        'witnesses', (
          SELECT json_agg(${schema}.witness_at(at::bigint) ORDER BY n)
          FROM json_array_elements_text(request->'offsets') WITH ORDINALITY AS o(at, n)
        )
      );
    END $sourcecast$;
  `;
}

/**
 * Raises `result` to the highest mark of the selection in one table. A channel without a mark has lost nothing, or has lost its
 * mark to the bound on the table. The two cannot be told apart, so the result covers both: a client may be told a false
 * gap, but no gap is concealed.
 */
function raisedByMarks(schema: string, table: "trimmed" | "superseded"): string {
  return `
      SELECT greatest(result, max(coalesce((SELECT log_offset FROM ${schema}.${table} WHERE channel = n), state.forgotten)))
      INTO result FROM json_array_elements_text(selection->'names') AS n;
      FOR bounds IN SELECT json_array_elements(selection->'ranges') LOOP
        -- Channels in use are mostly among those that lost something recently.
        SELECT log_offset INTO lost FROM (
          SELECT channel, log_offset FROM ${schema}.${table} ORDER BY log_offset DESC LIMIT ${recentChannels}
        ) AS recent
        WHERE channel >= bounds->>0 AND (bounds->>1 IS NULL OR channel < bounds->>1) LIMIT 1;
        IF NOT FOUND THEN
          SELECT max(log_offset) INTO lost FROM ${schema}.${table}
          WHERE channel >= bounds->>0 AND (bounds->>1 IS NULL OR channel < bounds->>1);
        END IF;
        result := greatest(result, lost, state.forgotten);
      END LOOP;`;
}
