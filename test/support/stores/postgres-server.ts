/** PostgreSQL servers of tests, and copies of their data. */
import { execFile } from "node:child_process";
import { chmodSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { findStore } from "../../../scripts/lib/stores.mjs";
import { commandOf, type StoreKind, type StorePlace, StoreServer } from "./store-server.ts";

const execute = promisify(execFile);

/** Settings of postgresql.conf, in addition to those that every test has. */
export type PostgresSettings = Readonly<Record<string, string | number>>;

/** Starts an empty server with the database and the superuser `postgres`, who needs no password. */
export function startPostgres(settings: PostgresSettings = {}, maxFileBytes?: number): Promise<StoreServer> {
  return StoreServer.start({
    maxFileBytes,
    ...kind(settings, (place, program) => {
      // Sorts by language: the log must not depend on the collation of the database.
      const locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres", "--auth=trust", "--no-sync"];
      return runAsPostgres(join(dirname(program), "initdb"), ["-D", dataOf(place), ...locale]);
    }),
  });
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
  // The end of a server that is killed comes after the answer, too.
  client.on("error", () => {});
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
    leftover: /shared memory block .* is still in use/,
    unprivileged: postgresUser,
  };
}

/** Debian's user for the server, which refuses to run as root; the identifiers are those of the package `postgresql-common`. */
export const postgresUser: { uid: number; gid: number } = await findUser();

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

/**
 * Copies the data of a running server, as a backup or a standby has it. Returns a function that kills the server, replaces
 * its data by the copy, and starts it again: what was written since the copy is lost. It comes back as a standby that is promoted,
 * or as a backup that is restored.
 */
export async function copyData(server: StoreServer, as: "standby" | "backup"): Promise<() => Promise<void>> {
  const copy = join(server.folder, "copy");
  const program = findStore("pg_basebackup") as string;
  const options = ["--checkpoint=fast", "--no-sync", ...(as === "standby" ? ["--write-recovery-conf"] : [])];
  const from = ["-h", "127.0.0.1", "-p", String(server.port), "-U", "postgres"];
  await runAsPostgres(program, ["-D", copy, ...options, ...from]);
  chmodSync(copy, 0o700);
  return async () => {
    await server.kill();
    rmSync(dataOf(server), { recursive: true });
    renameSync(copy, dataOf(server));
    await server.restart();
    if (as === "standby") await runSql(server, "SELECT pg_promote()");
  };
}
