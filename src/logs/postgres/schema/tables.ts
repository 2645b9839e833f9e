// The tables of the log.

/**
 * The statements that create the tables in a schema. All comparisons of channels are by code point (collation "C"), whatever
 * the collation of the database: it decides what a prefix is.
 *
 * - `log`: one row, which identifies the log. Appends do not update it, since a long transaction of the application would keep all
 *   its versions alive. The exception is `late_time`: while it is not NULL, there may be receipts for late attempts of single
 *   entries, see `append-one.ts`.
 * - `floor`: the newest row says up to where retention has removed entries: the witness there, and the offset up to
 *   which channels that `trimmed` and `superseded` no longer list may have lost entries.
 * - `entry`: the retained entries, and below the floor the newest of each key. `time` is for people, `log_time` never
 *   decreases. `total_weight` is the weight of all entries up to this one.
 * - `value`: where the newest entry of each key is.
 * - `trimmed`: the highest offset that each channel has lost, entries with a key aside.
 * - `superseded`: the highest offset of an entry that was superseded, and that its channel has lost.
 * - `witness`: the witnesses of trimmed entries, four bytes each, some hundreds in a row.
 * - `idempotency`: where the entries with an idempotency key were placed.
 * - `receipt`: the answers of recent appends, for processes that try again because an answer was lost, and for attempts that
 *   arrive late. Single plain entries get one only when they are tried again.
 * - `member`: the processes that have the log open, with their options.
 * - `outbox`: what transactions of the application have published, until the sequencer moves it to the log.
 * - `state`: a view, so that every function reads the same things as the state of the log, in one query.
 *
 * The columns and indexes of `entry`:
 *
 * - `data` is the last column, and large values are stored apart: finding a page does not read them.
 * - `superseded` is a column rather than a query: whether an entry is the newest of its key would be a search for each entry of
 *   each page.
 * - `entry_channel` and `entry_superseded` divide the entries of a channel, so that readers that conflate do not step over the
 *   entries that they leave out. Other readers merge the two. One index with both would cost each read of a channel more: most
 *   logs have nothing that was superseded, and an empty index says so at once.
 *
 * Most entries have no key, and an index costs each append a part of its time even where the entry is not in it. So the newest
 * entries of each key are in the table `value`. Its primary key proves that each key has one, and its indexes list them by channel
 * and in the order of the log.
 *
 * `trimmed_offset` and `superseded_offset` find the channels that lost something most recently, and those that did so longest ago,
 * which are forgotten first. `idempotency_time` and `receipt_time` find the rows to forget.
 *
 * Witnesses have 32 bits without a sign. PostgreSQL has no such type, so the columns are `bigint`, except in `witness`, where
 * four bytes each matter.
 */
export function tables(schema: string): string {
  return `
    CREATE TABLE ${schema}.log (
      id integer PRIMARY KEY CHECK (id = 1),
      epoch text NOT NULL,
      origin_witness bigint NOT NULL,
      late_time bigint
    );
    CREATE TABLE ${schema}.floor (
      log_offset bigint PRIMARY KEY,
      witness bigint NOT NULL,
      forgotten bigint NOT NULL
    );
    CREATE TABLE ${schema}.entry (
      log_offset bigint PRIMARY KEY,
      witness bigint NOT NULL,
      previous_witness bigint NOT NULL,
      time bigint NOT NULL,
      log_time bigint NOT NULL,
      weight bigint NOT NULL,
      total_weight bigint NOT NULL,
      superseded boolean NOT NULL,
      channel text COLLATE "C" NOT NULL,
      type text NOT NULL,
      key text COLLATE "C",
      sender text,
      data text NOT NULL
    );
    CREATE INDEX entry_channel ON ${schema}.entry (channel, log_offset) WHERE NOT superseded;
    CREATE INDEX entry_superseded ON ${schema}.entry (channel, log_offset) WHERE superseded;
    CREATE TABLE ${schema}.value (
      channel text COLLATE "C" NOT NULL,
      key text COLLATE "C" NOT NULL,
      log_offset bigint NOT NULL,
      weight bigint NOT NULL,
      PRIMARY KEY (channel, key)
    );
    CREATE INDEX value_channel ON ${schema}.value (channel, log_offset);
    CREATE INDEX value_offset ON ${schema}.value (log_offset);
    CREATE TABLE ${schema}.trimmed (
      channel text COLLATE "C" PRIMARY KEY,
      log_offset bigint NOT NULL
    );
    CREATE INDEX trimmed_offset ON ${schema}.trimmed (log_offset);
    CREATE TABLE ${schema}.superseded (
      channel text COLLATE "C" PRIMARY KEY,
      log_offset bigint NOT NULL
    );
    CREATE INDEX superseded_offset ON ${schema}.superseded (log_offset);
    CREATE TABLE ${schema}.witness (
      first_offset bigint PRIMARY KEY,
      last_offset bigint NOT NULL,
      log_time bigint NOT NULL,
      witnesses integer[] NOT NULL
    );
    CREATE TABLE ${schema}.idempotency (
      channel text COLLATE "C" NOT NULL,
      key text COLLATE "C" NOT NULL,
      log_time bigint NOT NULL,
      log_offset bigint NOT NULL,
      witness bigint NOT NULL,
      PRIMARY KEY (channel, key)
    );
    CREATE INDEX idempotency_time ON ${schema}.idempotency (log_time);
    CREATE TABLE ${schema}.receipt (
      member text NOT NULL,
      last_call bigint NOT NULL,
      log_time bigint NOT NULL,
      reply text NOT NULL,
      PRIMARY KEY (member, last_call)
    );
    CREATE INDEX receipt_time ON ${schema}.receipt (log_time);
    CREATE TABLE ${schema}.member (
      id text PRIMARY KEY,
      options text NOT NULL,
      seen timestamptz NOT NULL
    );
    CREATE TABLE ${schema}.outbox (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      call json NOT NULL,
      channels text[] NOT NULL,
      types text[] NOT NULL,
      texts text[] NOT NULL,
      keys text[] NOT NULL,
      senders text[] NOT NULL,
      witnesses bigint[] NOT NULL,
      weights bigint[] NOT NULL
    );
    CREATE VIEW ${schema}.state AS
    SELECT epoch, origin_witness AS origin,
      floor.log_offset AS trimmed, floor.witness AS trimmed_witness, floor.forgotten,
      coalesce(newest.log_offset, 0) AS top, coalesce(newest.witness, origin_witness) AS top_witness,
      coalesce(newest.total_weight, 0) AS top_weight, coalesce(newest.log_time, 0) AS top_time
    FROM ${schema}.log
      CROSS JOIN LATERAL (SELECT * FROM ${schema}.floor ORDER BY log_offset DESC LIMIT 1) AS floor
      LEFT JOIN LATERAL (
        SELECT log_offset, witness, total_weight, log_time FROM ${schema}.entry ORDER BY log_offset DESC LIMIT 1
      ) AS newest ON true;
    -- An empty log has its origin as its floor, so the position 0 can be verified from the start.
    INSERT INTO ${schema}.log (id, epoch, origin_witness)
    SELECT 1, left(replace(gen_random_uuid()::text, '-', ''), 12), 1 + floor(random() * 4294967295)::bigint;
    INSERT INTO ${schema}.floor (log_offset, witness, forgotten) SELECT 0, origin_witness, 0 FROM ${schema}.log;
  `;
}
