// Starts processes of the cluster, and kills, drains and restarts them on request: node supervisor.js NAME …, with HOST, STORE and
// STORE_URL in its environment. It publishes their states on the hub that they serve.
import { fork } from "node:child_process";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { createHub } from "sourcecast";
import { openLog } from "./log.js";

const program = fileURLToPath(new URL("server.js", import.meta.url));

/**
 * @param {object} options
 * @param {Record<string, number>} options.ports the processes, and the port of each
 * @param {number} options.port where it takes requests such as `POST /processes/a/kill`
 * @param {string} options.store
 * @param {string} options.storeUrl
 * @param {string} [options.host]
 */
export async function startSupervisor({ ports, port, store, storeUrl, host = "127.0.0.1" }) {
  const hub = createHub({ log: await openLog(store, storeUrl), closeOnSignal: false });
  const states = hub.channel("processes");
  const env = { ...process.env, HOST: host, STORE: store, STORE_URL: storeUrl };
  const processes = new Map(
    Object.entries(ports).map(([name, port]) => [
      name,
      // With a key: a page that opens later receives the latest state of each process.
      new Child(name, { ...env, PORT: String(port) }, (state) =>
        states.dispatch("process", { name, ...state }, { key: name }).catch(printFailure),
      ),
    ]),
  );
  await Promise.all(Array.from(processes.values(), (child) => child.start()));

  const server = createServer((req, res) => {
    const [, name, action] = /^\/processes\/(\w+)\/(kill|drain|restart)$/.exec(req.url ?? "") ?? [];
    const child = processes.get(name);
    // Browsers say where a request comes from: other sites must not stop this one.
    const isForeign = !["same-origin", undefined].includes(req.headers["sec-fetch-site"]);
    if (child === undefined || req.method !== "POST" || isForeign) return void res.writeHead(404).end();
    child[action]();
    res.writeHead(202).end();
  });
  await new Promise((resolve) => server.listen(port, host, () => resolve(undefined)));

  return {
    async close() {
      server.closeAllConnections();
      server.close();
      await Promise.all(Array.from(processes.values(), (child) => child.stop()));
      await hub.close();
    },
  };
}

/** One process, which ends and is started again. */
class Child {
  #name;
  #env;
  #report;
  #process = null;
  #state = "down";
  #startsAgain = false;

  constructor(name, env, report) {
    this.#name = name;
    this.#env = env;
    this.#report = report;
  }

  /** Resolves when it listens. */
  start() {
    if (this.#process !== null) return Promise.resolve();
    const child = fork(program, [this.#name], { env: this.#env });
    this.#process = child;
    this.#set("starting", child.pid);
    child.once("exit", () => {
      this.#process = null;
      this.#set("down");
      if (!this.#startsAgain) return;
      this.#startsAgain = false;
      this.start().catch(printFailure);
    });
    return new Promise((resolve, reject) => {
      child.once("message", () => {
        this.#set("up", child.pid);
        resolve();
      });
      child.once("exit", (code) => reject(new Error(`Process ${this.#name} ended with ${code} before it listened`)));
    });
  }

  kill() {
    this.#process?.kill("SIGKILL");
  }

  async drain() {
    const child = this.#process;
    if (child === null || this.#state !== "up") return;
    // Pages are told before they are sent elsewhere, so that they know why.
    await this.#set("draining", child.pid);
    child.kill("SIGTERM");
  }

  restart() {
    if (this.#process === null) return void this.start().catch(printFailure);
    this.#startsAgain = true;
    this.drain();
  }

  /** Ends it for good. */
  async stop() {
    this.#startsAgain = false;
    this.#report = async () => {};
    const child = this.#process;
    if (child === null) return;
    const exit = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exit;
  }

  #set(state, pid = null) {
    this.#state = state;
    return this.#report({ state, pid, since: Date.now() });
  }
}

function printFailure(error) {
  console.error(error.message);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { PORT = "3000", HOST, STORE = "sqlite", STORE_URL = "cluster.db" } = process.env;
  const first = Number(PORT);
  const names = process.argv.slice(2);
  const supervisor = await startSupervisor({
    // Its own port comes first, then those of the processes.
    port: first,
    ports: Object.fromEntries(names.map((name, index) => [name, first + 1 + index])),
    store: STORE,
    storeUrl: STORE_URL,
    ...(HOST === undefined ? {} : { host: HOST }),
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => supervisor.close().then(() => process.exit()));
}
