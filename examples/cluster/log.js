// The log that all processes share. Its name is the only thing that differs between the stores.

/** How many events each log keeps: more than a page misses that is away for a quarter of an hour. */
const maxEvents = 10_000;

/** Opens the log on a store: `sqlite` with the path of a file, any other with the address of its server. */
export async function openLog(store, address) {
  const open = logs[store];
  if (open === undefined) throw new Error(`STORE is "${store}"; set it to one of ${Object.keys(logs).join(", ")}`);
  return open(address);
}

// A store's client is imported only where it is used.
const logs = {
  async sqlite(path) {
    const { sqliteLog } = await import("sourcecast/sqlite");
    return sqliteLog({ path, maxEvents });
  },
  async redis(url) {
    const [{ redisLog }, { createClient }] = await Promise.all([import("sourcecast/redis"), import("redis")]);
    return redisLog({ client: createClient({ url }), key: "cluster", maxEvents });
  },
  async postgres(connectionString) {
    const [{ postgresLog }, { default: pg }] = await Promise.all([import("sourcecast/postgres"), import("pg")]);
    const pool = new pg.Pool({ connectionString });
    // An idle connection that breaks is replaced, and must not end the process.
    pool.on("error", () => {});
    return postgresLog({ pool, maxEvents });
  },
  async nats(servers) {
    const [{ natsLog }, { connect }] = await Promise.all([
      import("sourcecast/nats"),
      import("@nats-io/transport-node"),
    ]);
    const connection = await connect({ servers, maxReconnectAttempts: -1, waitOnFirstConnect: true });
    return natsLog({ connection, stream: "cluster", maxEvents });
  },
};
