// The example of a cluster, with a store and an nginx on free ports, and all their data in temporary folders.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { main } from "../../test/support/proxies/nginx.ts";
import { fill } from "../../test/support/proxies/proxy.ts";
import { freePort, ServerProcess } from "../../test/support/server-process.ts";
import { startNats } from "../../test/support/stores/nats-server.ts";
import { startPostgres } from "../../test/support/stores/postgres-server.ts";
import { startRedis } from "../../test/support/stores/redis-server.ts";
import { root } from "./paths.mjs";
import { findProxy } from "./proxies.mjs";
import { ensureStore, howToInstall } from "./stores.mjs";

const example = join(root, "examples/cluster");

/**
 * The stores: the program, how it is started, and the address that clients are given.
 *
 * @satisfies {Record<string, Store | null>}
 */
const stores = {
  redis: {
    program: "redis-server",
    start: () => startRedis({ appendonly: "yes" }),
    address: (port) => `redis://127.0.0.1:${port}`,
  },
  nats: { program: "nats-server", start: () => startNats(), address: (port) => `127.0.0.1:${port}` },
  postgres: {
    program: "postgres",
    start: () => startPostgres(),
    address: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
  },
  sqlite: null,
};

/** A program that is not on this machine. Its message says how to install it. */
export class MissingProgram extends Error {}

export class Cluster {
  /** Where the page is. */
  address = "";
  /** The store, with the address of its server or the path of its file. */
  store = "";
  #folder = mkdtempSync(join(tmpdir(), "sourcecast-cluster-"));
  /** @type {(() => unknown)[]} */
  #cleanups = [() => rmSync(this.#folder, { recursive: true, force: true })];

  /** @param {keyof typeof stores} on @param {number} [port] of nginx, a free one by default @throws {MissingProgram} */
  static async start(on, port) {
    const cluster = new Cluster();
    try {
      await cluster.#start(on, port ?? (await freePort()));
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** @param {keyof typeof stores} on @param {number} port */
  async #start(on, port) {
    const program = findProxy("nginx");
    if (program === undefined) {
      throw new MissingProgram(
        "nginx is missing, and it is the proxy of the cluster; install it (Debian, Ubuntu: sudo apt-get install nginx; macOS: brew install nginx)",
      );
    }
    const storeUrl = await this.#startStore(on);
    this.store = `${on} (${storeUrl})`;
    const ports = { a: await freePort(), b: await freePort(), c: await freePort() };
    const control = await freePort();
    linkPackage();
    const { startSupervisor } = await import(pathToFileURL(join(example, "supervisor.js")).href);
    const supervisor = await startSupervisor({ ports, port: control, store: on, storeUrl });
    this.#cleanups.push(() => supervisor.close());
    await this.#startNginx(program, { port, control, ports });
    this.address = `http://localhost:${port}`;
  }

  /** @param {keyof typeof stores} on @returns {Promise<string>} the address */
  async #startStore(on) {
    const store = stores[on];
    if (store === null) return join(this.#folder, "cluster.db");
    const { program, start, address } = store;
    if (!(await ensureStore(program))) {
      throw new MissingProgram(
        `${program} is missing; install it (${howToInstall(program)}), or choose another store with --on`,
      );
    }
    const server = await start();
    this.#cleanups.push(() => server[Symbol.asyncDispose]());
    return address(server.port);
  }

  /** @param {string} program @param {{ port: number, control: number, ports: Record<string, number> }} place */
  async #startNginx(program, { port, control, ports }) {
    // A proxy that root starts runs as another user.
    chmodSync(this.#folder, 0o755);
    const file = join(this.#folder, "nginx.conf");
    const site = fill(readFileSync(join(example, "nginx.conf"), "utf8"), {
      "listen 80;": `listen 127.0.0.1:${port};`,
      ...Object.fromEntries(
        Object.entries(ports).map(([name, port]) => [`server ${name}:3001`, `server 127.0.0.1:${port}`]),
      ),
      ...Object.fromEntries(Object.keys(ports).map((name) => [`http://${name}:3000`, `http://127.0.0.1:${control}`])),
    });
    writeFileSync(file, main(site, { folder: this.#folder }));
    const args = ["-e", "stderr", "-c", file];
    const nginx = await ServerProcess.start({ program, args, cwd: this.#folder, port });
    this.#cleanups.push(() => nginx.stop());
  }

  /** Ends everything, and removes all data. */
  async close() {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }
}

/** The example imports the package by its name, as an application does that has installed it: this repository stands in for that. */
function linkPackage() {
  const link = join(example, "node_modules/sourcecast");
  mkdirSync(join(example, "node_modules"), { recursive: true });
  if (!existsSync(link)) symlinkSync(root, link, "junction");
}

/**
 * @typedef {object} Store
 * @property {Parameters<typeof ensureStore>[0]} program
 * @property {() => Promise<import("../../test/support/stores/store-server.ts").StoreServer>} start
 * @property {(port: number) => string} address
 */
