// Reading: functions in the database. STABLE functions see one state of the log, however many queries they run.

/** The columns of an entry in an answer, in the order in which `entryOf` takes them. */
const columns = "log_offset, witness, previous_witness, time, channel, type, data, key, sender";
const entriesAsJson = `coalesce(json_agg(json_build_array(${columns}) ORDER BY log_offset), '[]')`;

/** Up to so many channels are read one by one, whatever else is in the log. */
const fewChannels = 32;
/** Of more, the log is scanned, and the selected entries are picked out: so many entries at first, so many for a page. */
const firstScan = 1_024;
const wholeScan = 4_096;
/** Up to so many channels are read one by one where the first scan finds little. */
const maxMergedChannels = 1_000;
/** So many of the channels that lost something most recently are checked before all channels of a prefix are. */
const recentChannels = 256;
/** The largest page of a tail. */
const tailPageEntries = 1_000;
const tailPageBytes = 4 * 1024 ** 2;

/** Which entries count: all, those that are not superseded, or those of them that have a key. */
const kinds = {
  all: ["NOT superseded", "superseded"],
  newest: ["NOT superseded"],
  values: ["key IS NOT NULL AND NOT superseded"],
} as const;

/** The parts of a selection as arrays, declared by functions that look at many entries. */
const selectionArrays = `chosen text[] := ARRAY(SELECT json_array_elements_text(selection->'names'));
      lows text[] := ARRAY(SELECT b->>0 FROM json_array_elements(selection->'ranges') WITH ORDINALITY AS r(b, n) ORDER BY n);
      highs text[] := ARRAY(SELECT b->>1 FROM json_array_elements(selection->'ranges') WITH ORDINALITY AS r(b, n) ORDER BY n);`;
const isSelected = `(
          selection IS NULL OR channel = ANY(chosen) OR EXISTS (
            SELECT FROM unnest(lows, highs) AS r(low, high) WHERE channel >= low AND (high IS NULL OR channel < high)
          )
        )`;

/** The entries that a scan leaves out, and those that it looks at, for each kind. */
const skipped = { all: "false", newest: "superseded", values: "false" } as const;
const scanned = { all: "true", newest: "true", values: "key IS NOT NULL AND NOT superseded" } as const;

/**
 * The functions that only read. A selection is `{ "names": […], "ranges": [[low, high], …] }`, with a range for each prefix,
 * whose `high` may be null; `null` selects everything.
 *
 * - `names_of` lists the channels of a selection, as far as they have entries, by one search of an index for each; NULL when
 *   there are more than `most`.
 * - `merged_*` finds a page channel by channel, `scanned_*` among all entries. Neither is fast in all logs: a prefix may have a
 *   million channels, and the next entry of a channel may be a million entries away. `page_*` chooses.
 * - `trimmed_of` is the highest offset that a selection has lost, or a higher one where that is not known.
 */
export function readingFunctions(schema: string): string {
  const pages = (Object.keys(kinds) as (keyof typeof kinds)[]).map((kind) => pageFunctions(schema, kind));
  return `
    CREATE FUNCTION ${schema}.head_of(state ${schema}.state) RETURNS json LANGUAGE sql STABLE AS $sourcecast$
      SELECT json_build_object(
        'epoch', state.epoch, 'top', state.top, 'witness', state.top_witness,
        'floor', json_build_object('offset', state.trimmed, 'witness', state.trimmed_witness),
        'replica', pg_is_in_recovery()
      )
    $sourcecast$;

    CREATE FUNCTION ${schema}.head() RETURNS text LANGUAGE sql STABLE AS $sourcecast$
      SELECT ${schema}.head_of(state) FROM ${schema}.state
    $sourcecast$;

    CREATE FUNCTION ${schema}.witnesses(request json) RETURNS text LANGUAGE sql STABLE AS $sourcecast$
      SELECT coalesce(json_agg(${schema}.witness_at(at::bigint) ORDER BY n), '[]')
      FROM json_array_elements_text(request) WITH ORDINALITY AS o(at, n)
    $sourcecast$;

    CREATE FUNCTION ${schema}.next(request json) RETURNS text LANGUAGE plpgsql STABLE AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      found json;
    BEGIN
      SELECT * INTO state FROM ${schema}.state;
      -- Below the floor are only kept values, which are not part of the sequence that a tail delivers.
      SELECT ${entriesAsJson} INTO found FROM (
        SELECT *, total_weight - weight - first_value(total_weight - weight) OVER (ORDER BY log_offset) AS bytes_before FROM (
          SELECT * FROM ${schema}.entry WHERE log_offset > greatest((request->>'after')::bigint, state.trimmed)
          ORDER BY log_offset LIMIT ${tailPageEntries}
        ) AS first
      ) AS page WHERE bytes_before < ${tailPageBytes};
      RETURN json_build_object(
        'head', ${schema}.head_of(state), 'entries', found, 'outbox', EXISTS (SELECT FROM ${schema}.outbox)
      );
    END $sourcecast$;

    CREATE FUNCTION ${schema}.names_of(selection json, most integer, only_values boolean) RETURNS text[]
    LANGUAGE plpgsql STABLE AS $sourcecast$
    DECLARE
      found text[] := ARRAY(SELECT DISTINCT json_array_elements_text(selection->'names'));
      bounds json;
      low text;
      high text;
    BEGIN
      FOR bounds IN SELECT json_array_elements(selection->'ranges') LOOP
        IF cardinality(found) > most THEN RETURN NULL; END IF;
        low := bounds->>0;
        high := bounds->>1;
        IF only_values THEN
          found := found || ARRAY(${namesIn(schema, kinds.values[0])});
        ELSE
          found := found || ARRAY(${namesIn(schema, kinds.newest[0])});
        END IF;
      END LOOP;
      found := ARRAY(SELECT DISTINCT unnest(found));
      RETURN CASE WHEN cardinality(found) <= most THEN found END;
    END $sourcecast$;

    CREATE FUNCTION ${schema}.trimmed_of(selection json, state ${schema}.state, conflate boolean) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $sourcecast$
    DECLARE
      result bigint;
      bounds json;
      lost bigint;
    BEGIN
      IF selection IS NULL OR state.trimmed = 0 THEN RETURN state.trimmed; END IF;
      SELECT max(coalesce((SELECT log_offset FROM ${schema}.trimmed WHERE channel = n), state.forgotten)) INTO result
      FROM json_array_elements_text(selection->'names') AS n;
      FOR bounds IN SELECT json_array_elements(selection->'ranges') LOOP
        -- Channels in use are mostly among those that lost something recently.
        SELECT log_offset INTO lost FROM (
          SELECT channel, log_offset FROM ${schema}.trimmed ORDER BY log_offset DESC LIMIT ${recentChannels}
        ) AS recent
        WHERE channel >= bounds->>0 AND (bounds->>1 IS NULL OR channel < bounds->>1) LIMIT 1;
        IF NOT FOUND THEN
          SELECT max(log_offset) INTO lost FROM ${schema}.trimmed
          WHERE channel >= bounds->>0 AND (bounds->>1 IS NULL OR channel < bounds->>1);
        END IF;
        result := greatest(result, lost, state.forgotten);
      END LOOP;
      result := coalesce(result, 0);
      -- A channel without values never had an entry with a key, so it has lost no superseded ones. Of others that is not known.
      IF NOT conflate AND result < state.trimmed AND ${schema}.has_values(selection) THEN RETURN state.trimmed; END IF;
      RETURN result;
    END $sourcecast$;

    CREATE FUNCTION ${schema}.has_values(selection json) RETURNS boolean LANGUAGE sql STABLE AS $sourcecast$
      SELECT EXISTS (
        SELECT FROM json_array_elements_text(selection->'names') AS n
        WHERE EXISTS (SELECT FROM ${schema}.entry WHERE channel = n AND ${kinds.values[0]})
      ) OR EXISTS (
        SELECT FROM json_array_elements(selection->'ranges') AS bounds
        WHERE (
          SELECT bounds->>1 IS NULL OR channel < bounds->>1 FROM ${schema}.entry
          WHERE channel >= bounds->>0 AND ${kinds.values[0]} ORDER BY channel LIMIT 1
        )
      )
    $sourcecast$;

    ${pages.join("")}

    CREATE FUNCTION ${schema}.entries_at(offsets bigint[]) RETURNS json LANGUAGE sql STABLE AS $sourcecast$
      SELECT ${entriesAsJson} FROM ${schema}.entry WHERE log_offset = ANY(offsets)
    $sourcecast$;

    CREATE FUNCTION ${schema}.read(request json) RETURNS text LANGUAGE plpgsql STABLE AS $sourcecast$
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

    CREATE FUNCTION ${schema}.values(request json) RETURNS text LANGUAGE plpgsql STABLE AS $sourcecast$
    DECLARE
      state ${schema}.state%ROWTYPE;
      after bigint := request->>'after';
      page record;
    BEGIN
      SELECT * INTO state FROM ${schema}.state;
      SELECT * INTO page FROM ${schema}.page_values(
        after, greatest(after, (request->>'upTo')::bigint), ${firstScan}, (request->>'bytes')::bigint, request->'selection');
      RETURN json_build_object(
        'head', ${schema}.head_of(state), 'entries', ${schema}.entries_at(page.offsets), 'through', page.through);
    END $sourcecast$;

    CREATE FUNCTION ${schema}.last(request json) RETURNS text LANGUAGE plpgsql STABLE AS $sourcecast$
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

    CREATE FUNCTION ${schema}.locate(request json) RETURNS text LANGUAGE plpgsql STABLE AS $sourcecast$
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
        EXISTS (SELECT FROM ${schema}.entry WHERE channel = name AND ${kinds.values[0]})
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

/** The channels from `low` on and before `high`, from name to name by the index, without a look at the entries between. */
function namesIn(schema: string, condition: string): string {
  const first = (bound: string) =>
    `(SELECT channel FROM ${schema}.entry WHERE channel ${bound} AND ${condition} ORDER BY channel LIMIT 1)`;
  return `
            WITH RECURSIVE step (name) AS (
              SELECT ${first(">= low")}
              UNION ALL
              SELECT ${first("> step.name")} FROM step WHERE step.name IS NOT NULL AND (high IS NULL OR step.name < high)
            )
            SELECT name FROM step WHERE name IS NOT NULL AND (high IS NULL OR name < high) LIMIT most + 1`;
}

function pageFunctions(schema: string, kind: keyof typeof kinds): string {
  const parameters = "after bigint, up_to bigint, most integer, most_bytes bigint";
  const ofChannel = kinds[kind].map(
    (condition) => `(
            SELECT log_offset, weight FROM ${schema}.entry
            WHERE channel = n AND ${condition} AND log_offset > after AND log_offset <= up_to
            ORDER BY log_offset LIMIT most
          )`,
  );
  return `
    CREATE FUNCTION ${schema}.merged_${kind}(${parameters}, names text[], OUT offsets bigint[], OUT through bigint)
    LANGUAGE sql STABLE AS $sourcecast$
      -- The page ends at its last entry when the bytes or the entries ran out, since there may be more right after it.
      SELECT coalesce(array_agg(log_offset) FILTER (WHERE fits), '{}'),
        CASE WHEN count(*) = most OR bool_or(NOT fits) THEN max(log_offset) FILTER (WHERE fits) ELSE up_to END
      FROM (
        SELECT log_offset, row_number() OVER page = 1 OR sum(weight) OVER page <= most_bytes AS fits FROM (
          SELECT e.log_offset, e.weight FROM unnest(names) AS n CROSS JOIN LATERAL (${ofChannel.join(" UNION ALL ")}
          ) AS e ORDER BY e.log_offset LIMIT most
        ) AS candidate WINDOW page AS (ORDER BY log_offset)
      ) AS filled
    $sourcecast$;

    CREATE FUNCTION ${schema}.scanned_${kind}(
      ${parameters}, selection json, width integer, OUT offsets bigint[], OUT through bigint, OUT is_done boolean
    ) LANGUAGE plpgsql STABLE AS $sourcecast$
    DECLARE
      ${selectionArrays}
      beyond bigint;
      looked integer;
      furthest bigint;
    BEGIN
      SELECT array_agg(log_offset) FILTER (WHERE is_selected AND fits), min(log_offset) FILTER (WHERE is_selected AND NOT fits),
        count(*), max(log_offset)
      INTO offsets, beyond, looked, furthest FROM (
        SELECT log_offset, is_selected, n = 1 OR (n <= most AND total <= most_bytes) AS fits FROM (
          SELECT log_offset, is_selected, count(*) FILTER (WHERE is_selected) OVER page AS n,
            sum(weight) FILTER (WHERE is_selected) OVER page AS total
          FROM (
            SELECT log_offset, weight, NOT ${skipped[kind]} AND ${isSelected} AS is_selected
            FROM ${schema}.entry WHERE ${scanned[kind]} AND log_offset > after AND log_offset <= up_to
            ORDER BY log_offset LIMIT width
          ) AS looked_at WINDOW page AS (ORDER BY log_offset)
        ) AS counted
      ) AS filled;
      offsets := coalesce(offsets, '{}');
      is_done := beyond IS NOT NULL OR looked < width;
      -- Up to the entry that has no place, everything is accounted for.
      through := coalesce(beyond - 1, CASE WHEN looked < width THEN up_to ELSE furthest END);
    END $sourcecast$;

    CREATE FUNCTION ${schema}.page_${kind}(
      ${parameters}, selection json, OUT offsets bigint[], OUT through bigint, OUT names text[]
    ) LANGUAGE plpgsql STABLE AS $sourcecast$
    DECLARE
      found record;
    BEGIN
      IF selection IS NOT NULL THEN names := ${schema}.names_of(selection, ${fewChannels}, ${kind === "values"}); END IF;
      IF names IS NULL THEN
        SELECT * INTO found FROM ${schema}.scanned_${kind}(after, up_to, most, most_bytes, selection, ${firstScan});
        IF selection IS NOT NULL AND NOT found.is_done AND cardinality(found.offsets) < most / 4 THEN
          names := ${schema}.names_of(selection, ${maxMergedChannels}, ${kind === "values"});
        END IF;
        IF names IS NULL AND NOT found.is_done THEN
          SELECT * INTO found FROM ${schema}.scanned_${kind}(after, up_to, most, most_bytes, selection, ${wholeScan});
        END IF;
      END IF;
      IF names IS NOT NULL THEN
        SELECT * INTO found FROM ${schema}.merged_${kind}(after, up_to, most, most_bytes, names);
      END IF;
      offsets := found.offsets;
      through := found.through;
    END $sourcecast$;
  `;
}
