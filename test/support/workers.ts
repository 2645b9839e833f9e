/** Workers on workerd, Cloudflare's own runtime, from npm: bundled as wrangler bundles them, one object namespace at most. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { installPackages } from "./example.ts";
import { root } from "./package.ts";
import { ServerProcess } from "./server-process.ts";

export interface WorkerOptions {
  /** The name of the exported class of Durable Objects, bound as `OBJECTS`. @default none */
  objects?: string;
  /** The date whose runtime behavior is used. @default that of the examples */
  compatibilityDate?: string;
  compatibilityFlags?: readonly string[];
  /** Bound as text, and what `process.env` has. */
  env?: Record<string, string>;
  /** Modules of the worker that are not bundled, by their names, as paths in its folder. */
  modules?: readonly string[];
  /** Where `package.json` and installed packages are found. @default the folder of the worker */
  cwd?: string;
}

const example: { compatibility_date: string } = JSON.parse(
  readFileSync(join(root, "examples/workers/wrangler.jsonc"), "utf8"),
);

/** Bundles a module into `folder` as `main.js`. */
export async function bundleWorker(entry: string, folder: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile: join(folder, "main.js"),
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
    target: "es2023",
    external: ["node:*", "cloudflare:*"],
    logLevel: "warning",
  });
}

/** Starts `main.js` of a folder. The storage of its objects is kept in the folder, for the next start. */
export async function startWorker(folder: string, options: WorkerOptions = {}): Promise<ServerProcess> {
  mkdirSync(join(folder, "storage"), { recursive: true });
  writeFileSync(join(folder, "config.capnp"), configuration(folder, options));
  const args = ["serve", join(folder, "config.capnp"), "--socket-addr=http=127.0.0.1:$PORT"];
  return ServerProcess.start({ program: await workerd(), args, cwd: options.cwd ?? folder });
}

/** The path of workerd's program. */
export async function workerd(): Promise<string> {
  const modules = await installPackages({ workerd: "1.20261117.1" });
  const [platform = ""] = readdirSync(join(modules, "@cloudflare")).filter((name) => name.startsWith("workerd-"));
  return join(modules, "@cloudflare", platform, "bin", process.platform === "win32" ? "workerd.exe" : "workerd");
}

/** In the language of workerd's configuration. Workers reach nothing but themselves. */
function configuration(folder: string, options: WorkerOptions): string {
  const { objects, compatibilityFlags = [], modules = [], env = {} } = options;
  const module = (name: string): string => `(name = ${text(name)}, esModule = embed ${text(name)})`;
  const bindings = Object.entries(env).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`);
  if (objects !== undefined) bindings.push(`(name = "OBJECTS", durableObjectNamespace = ${text(objects)})`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "storage", disk = (path = ${text(join(folder, "storage"))}, writable = true)),
    (name = "internet", network = (allow = [])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [${["main.js", ...modules].map(module).join(", ")}],
  compatibilityDate = ${text(options.compatibilityDate ?? example.compatibility_date)},
  compatibilityFlags = [${compatibilityFlags.map(text).join(", ")}],
  bindings = [${bindings.join(", ")}],
  ${objects === undefined ? "" : objectSettings(objects)}
);
`;
}

function objectSettings(className: string): string {
  return `durableObjectNamespaces = [(className = ${text(className)}, uniqueKey = "objects", enableSql = true)],
  durableObjectStorage = (localDisk = "storage"),`;
}

function text(value: string): string {
  return JSON.stringify(value);
}
