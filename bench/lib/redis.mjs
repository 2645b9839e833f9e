// A server of Redis for one benchmark, without persistence.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { findStore, storeInstruction } from "../../scripts/lib/stores.mjs";

/** @typedef {{ port: number, pid: number, client: import("redis").RedisClientType, close: () => Promise<void> }} RedisServer */

/** @returns {Promise<RedisServer>} */
export async function startRedis() {
  const program = findStore("redis-server");
  if (program === undefined) throw new Error(storeInstruction("redis-server"));
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-bench-"));
  const port = await freePort();
  const args = ["--bind", "127.0.0.1", "--port", `${port}`, "--dir", folder, "--save", "", "--appendonly", "no"];
  const child = spawn(program, args, { stdio: "ignore" });
  const client = /** @type {any} */ (createClient({ socket: { port, host: "127.0.0.1" } }));
  client.on("error", () => {});
  await client.connect();
  return {
    port,
    pid: Number(child.pid),
    client,
    async close() {
      client.destroy();
      child.kill("SIGKILL");
      await once(child, "exit");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}
