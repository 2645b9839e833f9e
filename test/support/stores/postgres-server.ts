/** PostgreSQL servers of tests: a primary, or a standby that follows one. */
import { execFile } from "node:child_process";
import { chmodSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { commandOf, type StoreKind, type StorePlace, StoreServer } from "./store-server.ts";

const execute = promisify(execFile);

/** Settings of postgresql.conf, in addition to those that every test has. */
export type PostgresSettings = Readonly<Record<string, string | number>>;

/** Starts an empty server with the database and the superuser `postgres`, who needs no password. */
export function startPostgres(settings: PostgresSettings = {}): Promise<StoreServer> {
  return StoreServer.start(
    kind(settings, (place, program) => {
      // Sorts by language: the log must not depend on the collation of the database.
      const locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres", "--auth=trust", "--no-sync"];
      return runAsPostgres(join(dirname(program), "initdb"), ["-D", dataOf(place), ...locale]);
    }),
  );
}

/** Starts a standby of a running server, from a copy of it. It follows the primary until it is promoted. */
export function startStandby(primary: StorePlace): Promise<StoreServer> {
  return StoreServer.start(
    kind({}, (place, program) => {
      const from = ["-h", "127.0.0.1", "-p", String(primary.port), "-U", "postgres"];
      return runAsPostgres(join(dirname(program), "pg_basebackup"), [
        ...["-D", dataOf(place), "--checkpoint=fast", "--no-sync", "--write-recovery-conf"],
        ...from,
      ]);
    }),
  );
}

/** A pool of `pg` on the database `postgres`, or on another one. */
export function poolOf({ port }: Pick<StorePlace, "port">, options: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ host: "127.0.0.1", port, user: "postgres", database: "postgres", ...options });
  // Its server is killed while connections are idle.
  pool.on("error", () => {});
  return pool;
}

/** Runs statements on a connection of its own. */
export async function runSql(place: Pick<StorePlace, "port">, sql: string, database = "postgres"): Promise<unknown[]> {
  const client = new pg.Client({ host: "127.0.0.1", port: place.port, user: "postgres", database });
  await client.connect();
  try {
    const result = await client.query(sql);
    return result.rows;
  } finally {
    await client.end();
  }
}

function kind(settings: PostgresSettings, prepare: (place: StorePlace, program: string) => Promise<void>): StoreKind {
  return {
    name: "postgres",
    args: ({ folder, port }) => {
      const all = {
        port,
        listen_addresses: "127.0.0.1",
        unix_socket_directories: folder,
        // A process that is killed leaves its writes to the system, which survives.
        fsync: "off",
        full_page_writes: "off",
        shared_buffers: "32MB",
        max_wal_senders: 4,
        ...settings,
      };
      const options = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
      return ["-D", dataOf({ folder, port }), ...options];
    },
    async prepare(place, program) {
      await prepare(place, program);
      chmodSync(dataOf(place), 0o700);
    },
    async isReady(place) {
      try {
        await runSql(place, "SELECT 1");
        return true;
      } catch {
        return false;
      }
    },
    unprivileged: postgresUser,
  };
}

/** Debian's user for the server, which refuses to run as root; the identifiers are those of the package `postgresql-common`. */
const postgresUser = await findUser();

async function findUser(): Promise<{ uid: number; gid: number }> {
  try {
    const [uid, gid] = await Promise.all(
      ["-u", "-g"].map(async (flag) => Number((await execute("id", [flag, "postgres"])).stdout)),
    );
    return { uid: uid ?? 65534, gid: gid ?? 65534 };
  } catch {
    return { uid: 65534, gid: 65534 };
  }
}

async function runAsPostgres(program: string, args: readonly string[]): Promise<void> {
  const [command, ...rest] = commandOf({ unprivileged: postgresUser }, [program, ...args]);
  await execute(command as string, rest, { cwd: "/" });
}

function dataOf({ folder }: StorePlace): string {
  return join(folder, "data");
}
