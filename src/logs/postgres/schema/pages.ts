// Finding which entries a page has, bounded by entries and bytes, before any of their data is read: functions in the database.

/** Up to this many channels are read one by one, whatever else is in the log. */
const fewChannels = 32;
/** Of more, the log is scanned, and the selected entries are picked out: so many entries at first, so many for a page. */
const firstScan = 1_024;
const wholeScan = 4_096;
/** Up to this many channels are read one by one where the first scan finds little. */
export const maxMergedChannels = 1_000;

/**
 * Which entries count: all, those that are not superseded, or those of them that have a key. With the table that has them, and the
 * parts of a channel, each with an index of its own.
 */
const entryKinds = {
  all: { table: "entry", parts: ["NOT superseded", "superseded"] },
  newest: { table: "entry", parts: ["NOT superseded"] },
  values: { table: "value", parts: ["true"] },
} as const;

type EntryKind = keyof typeof entryKinds;

/** The parts of a selection as arrays, declared by functions that look at many entries. */
export const selectionArrays = `chosen text[] := ARRAY(SELECT json_array_elements_text(selection->'names'));
      lows text[] := ARRAY(SELECT b->>0 FROM json_array_elements(selection->'ranges') WITH ORDINALITY AS r(b, n) ORDER BY n);
      highs text[] := ARRAY(SELECT b->>1 FROM json_array_elements(selection->'ranges') WITH ORDINALITY AS r(b, n) ORDER BY n);`;
export const isSelected = `(
          selection IS NULL OR channel = ANY(chosen) OR EXISTS (
            SELECT FROM unnest(lows, highs) AS r(low, high) WHERE channel >= low AND (high IS NULL OR channel < high)
          )
        )`;

/** The entries that a scan leaves out. */
const skipped = { all: "false", newest: "superseded", values: "false" } as const;

/**
 * The functions that find pages.
 *
 * - `names_of` lists the channels of a selection, as far as they have entries, by one search of an index for each; NULL when
 *   there are more than `most`.
 * - `merged_*` finds a page channel by channel, `scanned_*` among all entries. Neither is fast in all logs: a prefix may have a
 *   million channels, and the next entry of a channel may be a million entries away. `page_*` chooses.
 *
 * There is a function for each kind of entries rather than a parameter: a condition that is a parameter could not use the
 * index that belongs to it.
 *
 * A page is found by offsets and weights alone. The data is read when it is known which entries fit, so a page with a large entry
 * at its border costs no more than it returns. Both ways of finding it account for the same entries: up to `through`, an entry is
 * on the page, or it is not selected, or it is superseded.
 */
export function pageFunctions(schema: string): string {
  const kinds = Object.keys(entryKinds) as EntryKind[];
  return `
    -- A recursive query jumps from name to name: PostgreSQL has no skip scan of an index before version 18. One name more than
    -- asked for is enough to see that there are too many.
    CREATE OR REPLACE FUNCTION ${schema}.names_of(selection json, most integer, only_values boolean) RETURNS text[]
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
          found := found || ARRAY(${namesIn(schema, "values")});
        ELSE
          found := found || ARRAY(${namesIn(schema, "newest")});
        END IF;
      END LOOP;
      found := ARRAY(SELECT DISTINCT unnest(found));
      RETURN CASE WHEN cardinality(found) <= most THEN found END;
    END $sourcecast$;
    ${kinds.map((kind) => functionsOf(schema, kind)).join("")}
  `;
}

/** The channels from `low` on and before `high`, from name to name by the index, without a look at the entries between. */
function namesIn(schema: string, kind: "newest" | "values"): string {
  const { table, parts } = entryKinds[kind];
  const first = (bound: string) =>
    `(SELECT channel FROM ${schema}.${table} WHERE channel ${bound} AND ${parts[0]} ORDER BY channel LIMIT 1)`;
  return `
            WITH RECURSIVE step (name) AS (
              SELECT ${first(">= low")}
              UNION ALL
              SELECT ${first("> step.name")} FROM step WHERE step.name IS NOT NULL AND (high IS NULL OR step.name < high)
            )
            SELECT name FROM step WHERE name IS NOT NULL AND (high IS NULL OR name < high) LIMIT most + 1`;
}

function functionsOf(schema: string, kind: EntryKind): string {
  const parameters = "after bigint, up_to bigint, most integer, most_bytes bigint";
  const { table, parts } = entryKinds[kind];
  const ofChannel = parts.map(
    (part) => `(
            SELECT log_offset, weight FROM ${schema}.${table}
            WHERE channel = n AND ${part} AND log_offset > after AND log_offset <= up_to
            ORDER BY log_offset LIMIT most
          )`,
  );
  return `
    -- Takes up to a page from each channel by its index, and the first of all of them. No data is read: the index leads to the
    -- rows, of which only offsets and weights are taken, and large data is stored apart.
    CREATE OR REPLACE FUNCTION ${schema}.merged_${kind}(${parameters}, names text[], OUT offsets bigint[], OUT through bigint)
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

    -- Looks at entries of all channels in their order. A page may end without an entry: through has advanced, as the contract
    -- demands, and the caller reads on.
    CREATE OR REPLACE FUNCTION ${schema}.scanned_${kind}(
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
            FROM ${schema}.${table} WHERE log_offset > after AND log_offset <= up_to
            ORDER BY log_offset LIMIT width
          ) AS looked_at WINDOW page AS (ORDER BY log_offset)
        ) AS counted
      ) AS filled;
      offsets := coalesce(offsets, '{}');
      is_done := beyond IS NOT NULL OR looked < width;
      -- Up to the entry that has no place, everything is accounted for.
      through := coalesce(beyond - 1, CASE WHEN looked < width THEN up_to ELSE furthest END);
    END $sourcecast$;

    -- A few channels are merged. Of more, or of unknown many, a short scan shows whether entries of the selection are frequent; if
    -- not, up to a thousand channels are merged nevertheless.
    CREATE OR REPLACE FUNCTION ${schema}.page_${kind}(
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
