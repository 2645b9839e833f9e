// Warns when a log in memory is one of several processes, which do not see its events.
import { builtinModule } from "../../base/runtime.ts";
import { warnOnce } from "../../base/warn.ts";

/** Warns that a memory log is not suitable if this process is one of several: a cluster worker, or one of pm2's. */
export function warnWhenOneOfSeveral(): void {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  if (!mayReadEnvironment()) return;
  const isWorker = builtinModule<{ isWorker?: boolean }>("node:cluster")?.isWorker === true;
  // In fork mode, pm2 starts its processes without node:cluster, but numbers them in the environment.
  const isPm2 = process?.env?.NODE_APP_INSTANCE !== undefined || process?.env?.pm_id !== undefined;
  if (!(isWorker || isPm2)) return;
  warnOnce(
    "several processes",
    "memoryLog() is used in one of several processes: events that the others publish do not arrive here. " +
      "Use sqliteLog() from sourcecast/sqlite on one machine, or a log on Redis, NATS or PostgreSQL across machines.",
  );
}

/** Deno asks its user before a program reads the environment, or refuses. A hint is not worth that. */
function mayReadEnvironment(): boolean {
  const { Deno } = globalThis as {
    Deno?: { permissions: { querySync(permission: { name: "env" }): { state: string } } };
  };
  return Deno === undefined || Deno.permissions.querySync({ name: "env" }).state === "granted";
}
