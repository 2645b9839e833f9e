import pg from "pg";
import { postgresLog } from "../../../dist/logs/postgres/index.js";
import { startPostgres } from "../../../test/support/stores/postgres-server.ts";
import { entry } from "./store.mjs";

/** @type {import("./store.mjs").Store} */
export const postgres = {
  name: "PostgreSQL",
  byHand: "INSERT, NOTIFY",
  start: () => startPostgres(),

  async connect(port) {
    const options = { host: "127.0.0.1", port, user: "postgres", database: "postgres" };
    const pool = new pg.Pool(options);
    return {
      log: (schema, retention) => postgresLog({ pool, schema: schema.replaceAll("-", "_"), ...retention }),
      byHand: (name) => byHand(pool, options, name.replaceAll("-", "_")),
      async size(what) {
        const name = ("log" in what ? what.log : what.byHand).replaceAll("-", "_");
        const where = "log" in what ? `schemaname = '${name}'` : `tablename = 'hand_${name}'`;
        const query = `SELECT sum(pg_total_relation_size(format('%I.%I', schemaname, tablename)::regclass)) AS size FROM pg_tables WHERE ${where}`;
        const { rows } = await pool.query(query);
        return { disk: Number(rows[0].size) };
      },
      close: () => pool.end(),
    };
  },
};

/** @param {pg.Pool} pool @param {pg.PoolConfig} options @param {string} name @returns {Promise<import("./store.mjs").ByHand>} */
async function byHand(pool, options, name) {
  const table = `hand_${name}`;
  await pool.query(
    `CREATE TABLE IF NOT EXISTS ${table} (id bigserial PRIMARY KEY, channel text, data text);
     CREATE INDEX IF NOT EXISTS ${table}_channel ON ${table} (channel, id)`,
  );
  const notify = `SELECT pg_notify('${table}', '') FROM row LIMIT 1`;
  const one = {
    name: `${table}_one`,
    text: `WITH row AS (INSERT INTO ${table} (channel, data) VALUES ($1, $2) RETURNING id) ${notify}`,
  };
  const all = {
    name: `${table}_all`,
    text: `WITH row AS (INSERT INTO ${table} (channel, data) SELECT unnest($1::text[]), unnest($2::text[]) RETURNING id) ${notify}`,
  };
  // A hundred channels, as in the log: in an index, a place among many takes more than the one at the end.
  let published = 0;
  const nextChannel = () => entry(published++).channel;
  return {
    publish: (data, channel = nextChannel()) => pool.query({ ...one, values: [channel, data] }),
    publishAll: (data, count) =>
      pool.query({ ...all, values: [Array.from({ length: count }, nextChannel), Array(count).fill(data)] }),
    async follow(add) {
      const client = new pg.Client(options);
      await client.connect();
      const { rows } = await client.query(`SELECT coalesce(max(id), 0) AS id FROM ${table}`);
      let last = rows[0].id;
      let reading = Promise.resolve();
      let waiting = false;
      const read = async () => {
        waiting = false;
        const { rows } = await client.query({
          name: "read",
          text: `SELECT id, data FROM ${table} WHERE id > $1 ORDER BY id`,
          values: [last],
        });
        for (const row of rows) {
          last = row.id;
          add(row.data);
        }
      };
      client.on("notification", () => {
        // One reading for the notifications that arrive during another one.
        if (waiting) return;
        waiting = true;
        reading = reading.then(read);
      });
      await client.query(`LISTEN ${table}`);
      return async () => {
        await reading;
        await client.end();
      };
    },
    async read(channel) {
      const { rows } = await pool.query({
        name: `${table}_read`,
        text: `SELECT data FROM ${table} WHERE channel = $1 AND id > 0 ORDER BY id`,
        values: [channel],
      });
      return rows.map(({ data }) => data);
    },
  };
}
