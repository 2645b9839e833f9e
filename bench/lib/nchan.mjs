import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuOf, pinned } from "./process.mjs";

const nginx = "/usr/sbin/nginx";
const library = "/usr/lib/nginx/modules/ngx_nchan_module.so";

export function hasNchan() {
  return existsSync(nginx) && existsSync(library);
}

/** nginx with one worker and a channel of nchan. It answers like a `Worker`, with what the kernel knows about its process. */
export class Nchan {
  #child;
  #folder;
  #port;

  /** @param {number} processor */
  static async start(processor) {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "sourcecast-nchan-"));
    writeFileSync(join(folder, "nginx.conf"), configuration(folder, port));
    const [file = "", ...args] = pinned(
      [nginx, "-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"],
      processor,
    );
    const child = spawn(file, args, { stdio: ["ignore", "ignore", "inherit"] });
    const nchan = new Nchan(child, folder, port);
    for (let tries = 0; !(await nchan.#answers()); tries++) {
      if (tries === 100 || child.exitCode !== null) throw new Error("nginx with nchan did not start");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return nchan;
  }

  /** @param {import("node:child_process").ChildProcess} child @param {string} folder @param {number} port */
  constructor(child, folder, port) {
    this.#child = child;
    this.#folder = folder;
    this.#port = port;
  }

  async hear() {
    return { port: this.#port };
  }

  /** @param {string} command @returns {Promise<any>} */
  async ask(command) {
    const worker = this.#worker();
    if (command === "cpu") return { cpu: cpuOf(worker) };
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${worker}/status`, "utf8"))?.[1];
    return { heap: 0, rss: Number(kilobytes) * 1_024 };
  }

  async stop() {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    // Ends nginx immediately, with its worker; SIGKILL would leave the worker running.
    this.#child.kill("SIGTERM");
    await gone;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The worker process, a child of the master. */
  #worker() {
    for (const pid of readdirSync("/proc")) {
      if (!/^\d+$/.test(pid)) continue;
      try {
        const status = readFileSync(`/proc/${pid}/status`, "utf8");
        if (Number(/PPid:\s+(\d+)/.exec(status)?.[1]) === this.#child.pid) return Number(pid);
      } catch {
        // The process ended in the meantime.
      }
    }
    throw new Error("nginx has no worker");
  }

  async #answers() {
    return fetch(`http://127.0.0.1:${this.#port}/`).then(
      () => true,
      () => false,
    );
  }
}

/** @param {string} folder @param {number} port */
function configuration(folder, port) {
  return `
load_module ${library};
daemon off;
worker_processes 1;
worker_rlimit_nofile 30000;
pid ${folder}/nginx.pid;
error_log /dev/null;
events { worker_connections 20000; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000;
  keepalive_timeout 600s;
  nchan_shared_memory_size 256M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /events { nchan_subscriber eventsource; nchan_channel_id ticks; nchan_subscriber_first_message newest; nchan_eventsource_ping_interval 0; }
    location = /publish { nchan_publisher; nchan_channel_id ticks; nchan_message_buffer_length 100; }
  }
}
`;
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
