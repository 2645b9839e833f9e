/** PgBouncer in front of a PostgreSQL server, in transaction mode: a statement may run on another connection than the one before. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { postgresUser, runSql } from "./postgres-server.ts";
import { StoreServer } from "./store-server.ts";

/**
 * Starts a pooler.
 *
 * @param port That of the server.
 * @param connections How many connections to the server all clients share.
 */
export function startPgBouncer(port: number, connections: number): Promise<StoreServer> {
  return StoreServer.start({
    name: "pgbouncer",
    args: ({ folder }) => [join(folder, "pgbouncer.ini")],
    async prepare({ folder, port: own }) {
      const lines = [
        "[databases]",
        `postgres = host=127.0.0.1 port=${port} dbname=postgres user=postgres`,
        "[pgbouncer]",
        "listen_addr = 127.0.0.1",
        `listen_port = ${own}`,
        "unix_socket_dir =",
        "auth_type = any",
        "pool_mode = transaction",
        `default_pool_size = ${connections}`,
        // Each client gets the connection that was used the longest time ago.
        "server_round_robin = 1",
        "ignore_startup_parameters = extra_float_digits",
      ];
      writeFileSync(join(folder, "pgbouncer.ini"), `${lines.join("\n")}\n`);
    },
    async isReady(place) {
      return runSql(place, "SELECT 1").then(
        () => true,
        () => false,
      );
    },
    unprivileged: postgresUser,
  });
}
